import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counterOf, readU32, type Session, u32 } from '../wireguard/reference/session.js';
import { ascii } from '../wireguard/reference/symmetric.js';
import { ProbeLab } from './probe-lab.js';
import { DATA, typeOf } from './prober.js';
import { SILENCE } from './probing.js';
import { labSuite } from './requirements.js';
import { NEEDS, SUBJECT } from './subject.js';
import { sleep } from './wait.js';

labSuite(`${SUBJECT}: conformance, key pairs`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  describe('rows 16 to 18: key pairs', () => {
    it('sends nothing on a new pair before its initiator has', async () => {
      const prober = await lab.prober();
      const session = await prober.initiate();
      const inside = await lab.inside();
      await inside.send(ascii('too early'), { address: prober.inner4, port: 9 });
      const early = await prober.port.during(SILENCE, (datagram) => typeOf(datagram) === DATA);
      expect(early).toEqual([]);
      await prober.send(session.seal());
      expect((await prober.content(session))?.slice(28, 37)).toEqual(ascii('too early'));
      const first = prober.port.captured.find((datagram) => typeOf(datagram) === DATA)!;
      expect(counterOf(first.bytes)).toBe(0n);
      inside.close();
    });

    it('keeps using the old pair until the new one is confirmed', async () => {
      const prober = await lab.prober();
      const old = await prober.connect();
      expect(await prober.ping(old)).toBe(true);
      await sleep(30);
      const next = await prober.initiate();
      const inside = await lab.inside();
      await inside.send(ascii('on the old one'), { address: prober.inner4, port: 9 });
      expect(await prober.content(old)).toBeDefined();
      await prober.send(next.seal());
      await sleep(30);
      await inside.send(ascii('on the new one'), { address: prober.inner4, port: 9 });
      expect(await prober.content(next)).toBeDefined();
      // Row 18: what was under way on the old pair still gets in.
      const late = prober.echo(old);
      await prober.send(late.message);
      expect(await prober.echoed(next, late.sequence)).toBe(true);
      inside.close();
    });

    it('forgets pairs that others have replaced', async () => {
      const prober = await lab.prober();
      const sessions: Session[] = [];
      // The paper keeps one behind the current pair; our gateway one more, for packets under way while initiations cross.
      for (let i = 0; i < 4; i++) {
        sessions.push(await prober.connect());
        await sleep(30);
      }
      const late = prober.echo(sessions[0]);
      await prober.send(late.message);
      expect(await prober.echoed(sessions[3], late.sequence, SILENCE)).toBe(false);
      expect(await prober.ping(sessions[3])).toBe(true);
    });

    it('as initiator uses its pair at once: the staged packet, or a keepalive when there is none', async () => {
      const staged = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      await inside.send(ascii('staged'), { address: staged.inner4, port: 9 });
      const session = await staged.respond();
      expect((await staged.content(session))?.slice(28, 34)).toEqual(ascii('staged'));
      inside.close();
      const idle = await lab.prober({ reachable: true, persistentKeepalive: 25 });
      const other = await idle.respond();
      const first = await idle.port.next((datagram) => typeOf(datagram) === DATA);
      expect(first!.bytes.length).toBe(32);
      expect(counterOf(first!.bytes)).toBe(0n);
      expect(other.open(first!.bytes)?.length).toBe(0);
    });

    it('as initiator ignores a second response to the same initiation', async () => {
      const prober = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      await inside.send(ascii('one'), { address: prober.inner4, port: 9 });
      const received = await prober.awaitInitiation();
      const first = received!.initiation.respond();
      await prober.send(first.message);
      expect(await prober.content(first.session)).toBeDefined();
      const second = received!.initiation.respond();
      await prober.send(second.message);
      await sleep(50);
      await inside.send(ascii('two'), { address: prober.inner4, port: 9 });
      expect(await prober.content(first.session)).toBeDefined();
      inside.close();
    });
  });

  it('row 26: keeps the last 128 packets that wait for a session', async () => {
    const prober = await lab.prober({ reachable: true });
    const inside = await lab.inside();
    for (let i = 0; i < 200; i++) await inside.send(u32(i), { address: prober.inner4, port: 9 });
    await sleep(200);
    const session = await prober.respond();
    const numbers: number[] = [];
    for (;;) {
      const content = await prober.content(session, 300);
      if (!content) break;
      numbers.push(readU32(content, 28));
    }
    expect(numbers).toEqual(Array.from({ length: 128 }, (_, i) => 72 + i));
    inside.close();
  });

  it('row 27: simultaneous initiations converge', async () => {
    for (let round = 0; round < 10; round++) {
      const prober = await lab.prober({ reachable: true });
      const inside = await lab.inside();
      const mine = prober.initiation();
      await inside.send(ascii('hello'), { address: prober.inner4, port: 9 });
      const theirs = await prober.awaitInitiation();
      await prober.send(mine.message);
      const answer = await prober.answerTo(mine);
      // Both handshakes complete; whichever the subject uses, packets flow both ways.
      const ours = mine.complete(answer!.bytes)!;
      const { message, session } = theirs!.initiation.respond();
      await prober.send(message);
      await sleep(20);
      const { message: echo, sequence } = prober.echo(ours);
      await prober.send(echo);
      const reply = await prober.port.next(
        (datagram) => [ours, session].some((each) => each.decrypt(datagram.bytes)?.length === 48),
        1000,
      );
      expect(reply, `round ${round}, echo ${sequence}`).toBeDefined();
      inside.close();
    }
  });
});
