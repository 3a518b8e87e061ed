import { fileURLToPath } from 'node:url';
import type { Namespace } from './namespace.js';
import { UdpPort } from './udp-port.js';
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

export interface Burst {
  readonly from: Namespace;
  readonly source: string;
  readonly to: Namespace;
  readonly destination: string;
  readonly packets: number;
  /** Largest payload in bytes. */
  readonly most: number;
}

/** One datagram of a burst: its number, then bytes that follow from it. */
function burstPayload(number: number, most: number): Uint8Array {
  // Multiplicative hashing spreads the sizes over the whole range, the same ones each time.
  const bytes = new Uint8Array(4 + ((Math.imul(number, 2654435761) >>> 0) % (most - 3)));
  for (let i = 0; i < bytes.length; i++) bytes[i] = number + i;
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Sends UDP packets of all sizes in bursts of 50; what arrives must be whole and come once. */
export async function burst({ from, source, to, destination, packets, most }: Burst): Promise<Set<number>> {
  const receiver = await UdpPort.open(to, { address: destination });
  const sender = await UdpPort.open(from, { address: source });
  const arrived = new Set<number>();
  const faults: string[] = [];
  receiver.onDatagram = ({ bytes }) => {
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
    if (arrived.has(number)) faults.push(`packet ${number} came twice`);
    arrived.add(number);
    if (Buffer.compare(bytes, burstPayload(number, most)) !== 0)
      faults.push(`packet ${number} is not as it was sent`);
  };
  for (let first = 0; first < packets; first += 50) {
    const some = Array.from({ length: 50 }, (_, i) => burstPayload(first + i, most));
    sender.flood(some, { address: destination, port: receiver.port });
    await sleep(10);
  }
  await sleep(300);
  receiver.close();
  sender.close();
  if (faults.length > 0) throw new Error(faults.join('\n'));
  return arrived;
}
