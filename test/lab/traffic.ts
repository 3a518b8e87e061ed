import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';
import { sleep, until } from './wait.js';

const TRANSFER = fileURLToPath(new URL('./transfer.mjs', import.meta.url));

let nextPort = 5300;

/** Waits until something listens on a TCP port in a namespace. */
async function listening(space: Namespace, port: number): Promise<void> {
  await until(`a listener on port ${port}`, 10_000, async () =>
    (await space.get(['ss', '-Hltn', `sport = :${port}`])).includes(`:${port}`),
  );
}

export interface Transfer {
  readonly from: Namespace;
  readonly to: Namespace;
  /** Where the receiver listens. */
  readonly address: string;
  readonly bytes: number;
}

/** Sends bytes over TCP; gives both ends' digests. */
export async function transfer({ from, to, address, bytes }: Transfer): Promise<[string, string]> {
  const port = nextPort++;
  const limit = 180_000;
  const receiver = to.get([process.execPath, TRANSFER, 'receive', address, `${port}`], { limit });
  await Promise.race([receiver, listening(to, port)]);
  const sender = from.get([process.execPath, TRANSFER, 'send', address, `${port}`, `${bytes}`], { limit });
  const [sent, received] = await Promise.all([sender, receiver]);
  return [sent.trim(), received.trim()];
}

export interface IperfResult {
  readonly sentBytes: number;
  readonly receivedBytes: number;
  /** UDP only. */
  readonly packets: number;
  readonly lostPackets: number;
}

/** One run of iperf3 from `client` to a server on `address` in `server`; `words` go to the client. */
export async function iperf(
  client: Namespace,
  server: Namespace,
  address: string,
  words: readonly string[],
): Promise<IperfResult> {
  const port = `${nextPort++}`;
  const daemon = server.run(['iperf3', '-s', '-1', '-p', port, '-B', address], { limit: 60_000 });
  await Promise.race([daemon, listening(server, Number(port))]);
  await sleep(50);
  const { stdout } = await client.run(['iperf3', '-c', address, '-p', port, '-J', ...words], {
    limit: 60_000,
  });
  await daemon;
  const report = JSON.parse(stdout);
  if (report.error) throw new Error(`iperf3: ${report.error}`);
  const { sum, sum_sent: sent, sum_received: received } = report.end;
  return {
    sentBytes: (sent ?? sum).bytes,
    receivedBytes: (received ?? sum).bytes,
    packets: sum?.packets ?? 0,
    lostPackets: sum?.lost_packets ?? 0,
  };
}
