import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { padded, readU32, u32 } from '../wireguard/reference/session.js';
import { type Bytes, concat } from '../wireguard/reference/symmetric.js';
import { ACK, readTcp, SYN, tcpPacket, udpPacket } from './inner-packet.js';
import { OURS } from './pair.js';
import { ProbeLab } from './probe-lab.js';
import { changed, PATIENCE, SILENCE } from './probing.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';
import { sleep, until } from './wait.js';

labSuite(`${SUBJECT}: conformance, inner checksums`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  describe('row 29: inner checksums are the receiver’s to judge', () => {
    for (const family of [4, 6] as const) {
      it(`IPv${family}: a UDP packet with a wrong checksum is not delivered`, async () => {
        const prober = await lab.prober();
        const session = await prober.connect();
        const inside = await lab.inside(family);
        const [source, destination] =
          family === 4 ? [prober.inner4, OURS.inner4] : [prober.inner6, OURS.inner6];
        const to = { source, destination, sourcePort: 7, destinationPort: inside.port };
        const packets = Array.from({ length: 20 }, (_, i) => {
          const packet = udpPacket({ ...to, data: concat(u32(i), new Uint8Array(500)) });
          // A byte of the payload, as a broken router on the way would change it.
          return i % 3 === 1 ? changed(packet, packet.length - 9, 0x77) : packet;
        });
        prober.port.flood(
          packets.map((packet) => session.seal(padded(packet))),
          prober.target,
        );
        await inside.next(({ bytes }) => readU32(bytes, 0) === 18, PATIENCE);
        await sleep(SILENCE);
        const arrived = inside.captured.map((datagram) => readU32(datagram.bytes, 0));
        expect(arrived).toEqual(Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 3 !== 1));
        inside.close();
      });

      it(`IPv${family}: a TCP segment with a wrong checksum is not repaired among good ones`, async () => {
        const prober = await lab.prober();
        const session = await prober.connect();
        const [source, destination] =
          family === 4 ? [prober.inner4, OURS.inner4] : [prober.inner6, OURS.inner6];
        const stop = await discardServer(destination);
        const to = { source, destination, sourcePort: 4000, destinationPort: DISCARD };
        const send = (packets: Bytes[]) =>
          prober.port.flood(
            packets.map((packet) => session.seal(padded(packet))),
            prober.target,
          );
        const answer = async (within = 1000) => {
          const content = await prober.content(session, within);
          return content && readTcp(content);
        };
        send([tcpPacket({ ...to, sequence: 999, acknowledgement: 0, flags: SYN })]);
        const synAck = (await answer())!;
        expect(synAck.flags).toBe(SYN | ACK);
        const acknowledgement = (synAck.sequence + 1) >>> 0;
        const size = 1000;
        const segment = (i: number) =>
          tcpPacket({
            ...to,
            sequence: 1000 + i * size,
            acknowledgement,
            flags: ACK,
            data: new Uint8Array(size).fill(65 + i),
          });
        const segments = Array.from({ length: 12 }, (_, i) => segment(i));
        send([tcpPacket({ ...to, sequence: 1000, acknowledgement, flags: ACK })]);
        send(segments.map((packet, i) => (i === 5 ? changed(packet, packet.length - 3, 0x77) : packet)));
        /** The greatest acknowledgement, once `expected` has come and a while has passed. */
        const acknowledged = async (expected: number) => {
          let most = 0;
          for (;;) {
            const each = await answer(most < expected ? PATIENCE : SILENCE);
            if (!each) return most;
            most = Math.max(most, each.acknowledgement);
          }
        };
        expect(await acknowledged(1000 + 5 * size)).toBe(1000 + 5 * size);
        send([segments[5]]);
        expect(await acknowledged(1000 + 12 * size)).toBe(1000 + 12 * size);
        stop();
      });
    }

    const DISCARD = 5009;

    /** A TCP server inside that takes everything and says nothing; the function ends it. */
    async function discardServer(address: string): Promise<() => void> {
      const server = lab.space.spawn(
        [
          process.execPath,
          '-e',
          `require('node:net').createServer((s) => s.resume()).listen(${DISCARD}, '${address}')`,
        ],
        { logFile: `${lab.lab.directory}/discard.log` },
      );
      await until('the discard server', 5000, async () =>
        (await lab.space.get(['ss', '-Hltn', `sport = :${DISCARD}`])).includes(`:${DISCARD}`),
      );
      return () => server.kill('SIGKILL');
    }
  });
});
