import { statusTable } from '../../../src/gateway/status-table.js';
import { EXIT, type ExitCode, GatewayError } from '../errors.js';
import { type GatewayStatus, STATUS_OPERATION } from '../status.js';
import { askGateway, listInterfaces } from '../uapi-client.js';
import { requireInterfaceName, uapiDirectory } from '../uapi-path.js';

/** Prints what running gateways tell of themselves: the one named, or all of this user's. */
export async function status(name: string | undefined, options: { json?: boolean }): Promise<ExitCode> {
  const directory = uapiDirectory();
  if (name !== undefined) {
    const one = await ask(directory, requireInterfaceName(name));
    if (one === undefined) {
      const sentence = `${name} is not a CloudBridge gateway but another WireGuard program; ask "wg show ${name}"`;
      throw new GatewayError(EXIT.notRunning, sentence);
    }
    print(options.json ? JSON.stringify(one, undefined, 2) : statusTable(one));
    return EXIT.ok;
  }
  const all: GatewayStatus[] = [];
  for (const each of listInterfaces(directory)) {
    const one = await ask(directory, each).catch((error) => {
      // A crash leaves its socket behind; nobody asked for that one by name.
      if (error instanceof GatewayError && error.exitCode === EXIT.notRunning) return undefined;
      throw error;
    });
    if (one !== undefined) all.push(one);
  }
  if (options.json) print(JSON.stringify(all, undefined, 2));
  else if (all.length > 0) print(all.map(statusTable).join('\n\n'));
  if (all.length > 0) return EXIT.ok;
  const others = process.getuid?.() === 0 ? '' : ', or ask as root for those that root started';
  throw new GatewayError(
    EXIT.notRunning,
    `no gateway is running (${directory}); start one with "up"${others}`,
  );
}

async function ask(directory: string, name: string): Promise<GatewayStatus | undefined> {
  const answer = await askGateway(directory, name, STATUS_OPERATION);
  return answer === undefined ? undefined : (JSON.parse(answer) as GatewayStatus);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
