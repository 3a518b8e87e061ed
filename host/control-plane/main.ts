#!/usr/bin/env node
import { isIP } from 'node:net';
import { Command, InvalidArgumentError } from 'commander';
import { packageVersion } from '../gateway/version.js';
import { defaultControlDirectory, readAdminFile } from './admin-file.js';
import { parseDuration } from './duration.js';
import { type ServeOptions, serve } from './serve.js';

const EXAMPLES = `
Examples:
  cloudbridge-control serve
  cloudbridge-control serve --listen 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem --url https://control.example
  cloudbridge-control serve --mqtt-listen 127.0.0.1:1883 --tunnel-listen 51820
  MQTT_URL=mqtts://control:password@broker.example cloudbridge-control serve
  cloudbridge-control claim create --tenant acme --uses 10 --expires 7d
  cloudbridge-control gateways list --tenant acme --json`;

function program(): Command {
  const root = new Command('cloudbridge-control')
    .description('The control plane of CloudBridge gateways: claims, addresses, keys, signaling.')
    .version(packageVersion(), '-V, --version')
    .option('--state-dir <directory>', 'where the database is', defaultControlDirectory())
    .addHelpText('after', EXAMPLES);
  root
    .command('serve')
    .description('run the control plane in the foreground; nothing needs to be installed or set up')
    .option('--listen <address:port>', 'where to listen', readListen, { host: '127.0.0.1', port: 8080 })
    .option('--url <url>', 'as gateways reach it (otherwise the listening address)')
    .option('--tls-cert <file>', 'certificate chain, PEM')
    .option('--tls-key <file>', 'private key, PEM')
    .option('--behind-proxy', 'a proxy in front of it ends TLS: listen without, also beyond loopback')
    .option('--mqtt-listen <address:port>', 'an MQTT broker for gateways, too', readListen)
    .option('--mqtt-url <url>', 'as gateways reach it (otherwise by the host of --url)')
    .option('--tunnel-listen <port>', 'control inside the WireGuard tunnel, too: a UDP port', readPort)
    .option('--tunnel-endpoint <host:port>', 'as gateways reach it (otherwise by the host of --url)')
    .option('--rotate-every <time>', 'life of tunnel keys', readDuration, 30 * 86_400)
    .option('--address-overlap <time>', 'how long a moved gateway answers to both', readDuration, 3600)
    .option('--heartbeat <time>', 'between heartbeats', readDuration, 30)
    .option('--log-format <format>', 'json or human')
    .action((options: ServeOptions) => serve(root.opts().stateDir, options));
  const claim = root.command('claim').description('what a device enrols with');
  claim
    .command('create')
    .requiredOption('--tenant <name>', 'made if it is new')
    .option('--prefix <block>', 'address block of a new tenant (otherwise a /24 of 10.0.0.0/8)')
    .option('--uses <number>', 'devices that may enrol with it', Number, 1)
    .option('--expires <time>', 'after which it is of no use', readDuration, 86_400)
    .option(
      '--tag <tag>',
      'given to its gateways; repeatable',
      (tag: string, all: string[]) => [...all, tag],
      [],
    )
    .option('--json', 'for programs')
    .action(async ({ tenant, prefix, uses, expires, tag, json }) => {
      const body = { prefix, uses, expires, tags: tag };
      const made = await call(root.opts().stateDir, 'POST', `/api/v1/tenants/${tenant}/claims`, body);
      print(json ? JSON.stringify(made, undefined, 2) : claimText(made));
    });
  const gateways = root.command('gateways').description('what has enrolled');
  gateways
    .command('list')
    .requiredOption('--tenant <name>')
    .option('--json', 'for programs')
    .action(async ({ tenant, json }) => {
      const answer = await call(root.opts().stateDir, 'GET', `/api/v1/tenants/${tenant}/gateways`);
      print(
        json ? JSON.stringify(answer.gateways, undefined, 2) : gatewayTable(answer.gateways as GatewayLine[]),
      );
    });
  for (const [action, description] of [
    ['rotate', 'begin a change of its tunnel key'],
    ['release', 'end its quarantine'],
    ['resume', 'let its site traffic flow again'],
    ['revoke', 'withdraw its identity for good'],
    ['forget', 'let the device enrol anew'],
  ]) {
    gateways
      .command(action)
      .description(description)
      .argument('<gateway>')
      .requiredOption('--tenant <name>')
      .action(async (gateway: string, { tenant }) => {
        const path = `/api/v1/tenants/${tenant}/gateways/${gateway}/${action}`;
        print(JSON.stringify(await call(root.opts().stateDir, 'POST', path, {})));
      });
  }
  gateways
    .command('move')
    .description('give it another address; the old one stays until all follow')
    .argument('<gateway>')
    .requiredOption('--tenant <name>')
    .option('--address <address>', 'a free one of the tenant (otherwise the next)')
    .action(async (gateway: string, { tenant, address }) => {
      const path = `/api/v1/tenants/${tenant}/gateways/${gateway}/address`;
      print(JSON.stringify(await call(root.opts().stateDir, 'POST', path, { address })));
    });
  gateways
    .command('shutdown')
    .description('stop its site traffic; it stays in touch, and "resume" lets it flow again')
    .argument('<gateway>')
    .requiredOption('--tenant <name>')
    .requiredOption('--reason <text>', 'shown in the gateway’s status')
    .action(async (gateway: string, { tenant, reason }) => {
      const path = `/api/v1/tenants/${tenant}/gateways/${gateway}/shutdown`;
      print(JSON.stringify(await call(root.opts().stateDir, 'POST', path, { reason })));
    });
  return root;
}

async function call(
  directory: string,
  method: string,
  path: string,
  body?: object,
): Promise<Record<string, unknown>> {
  const file = readAdminFile(directory);
  if (!file)
    throw new Error(`no control plane has been served from ${directory}; name its folder with --state-dir`);
  const response = await fetch(file.url + path, {
    method,
    headers: { authorization: `Bearer ${file.token}`, 'content-type': 'application/json' },
    body: body && JSON.stringify(body),
  }).catch(() => {
    throw new Error(
      `the control plane does not answer at ${file.url}; start it with "cloudbridge-control serve"`,
    );
  });
  const answer = (await response.json()) as Record<string, unknown>;
  if (!response.ok) throw new Error(String(answer.message));
  return answer;
}

function claimText(claim: Record<string, unknown>): string {
  return [
    `claim ${claim.id} of tenant ${claim.tenant}: ${claim.uses} use(s), until ${claim.expires}`,
    'on the device:',
    `  cloudbridge-gateway enrol '${claim.url}'`,
  ].join('\n');
}

interface GatewayLine {
  id: string;
  name: string;
  state: string;
  online: boolean;
  address: string;
  endpoint: string | null;
  last_seen: string | null;
}

function gatewayTable(gateways: readonly GatewayLine[]): string {
  const rows = gateways.map((one) => [
    one.id,
    one.name,
    one.state,
    one.online ? 'online' : 'offline',
    one.address,
    one.endpoint ?? '-',
    one.last_seen ?? 'never',
  ]);
  const lines = [['GATEWAY', 'NAME', 'STATE', 'CONTROL', 'ADDRESS', 'ENDPOINT', 'LAST SEEN'], ...rows];
  const widths = lines[0].map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function readPort(value: string): number {
  const port = Number(value);
  if (!/^[0-9]{1,5}$/.test(value) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('write 51820.');
  return port;
}

function readListen(value: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(value);
  const host = match?.[1] ?? match?.[2] ?? '';
  if (!match || isIP(host) === 0 || Number(match[3]) > 65_535) {
    throw new InvalidArgumentError('write 127.0.0.1:8080 or [::1]:8080.');
  }
  return { host, port: Number(match[3]) };
}

function readDuration(value: string): number {
  const seconds = parseDuration(value);
  if (seconds === undefined) throw new InvalidArgumentError('write 90s, 15m, 12h or 7d.');
  return seconds;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

await program()
  .parseAsync()
  .catch((error) => {
    process.stderr.write(`cloudbridge-control: ${error instanceof Error ? error.message : error}\n`);
    process.exit(1);
  });
