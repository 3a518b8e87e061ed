/** Our own question inside the session, "do you hear me here?", put to the gateway by the slow twin. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  PROBE_ANSWERS,
  PROBE_ASKS,
  PROBE_BYTES,
  probeId,
  probeKind,
  writeProbe,
} from '../../src/wireguard/probe.js';
import { ProbeLab } from './probe-lab.js';
import { PATIENCE, SILENCE } from './probing.js';
import { labSuite } from './requirements.js';
import { CONTROL, NEEDS, SUBJECT } from './subject.js';

labSuite(`${SUBJECT}: probes`, NEEDS, () => {
  let lab: ProbeLab;
  beforeAll(async () => {
    lab = await ProbeLab.start();
  }, 30_000);
  afterAll(() => lab?.close());

  const probe = (kind: number, id: number) => {
    const bytes = new Uint8Array(PROBE_BYTES);
    writeProbe(bytes, kind, id);
    return bytes;
  };

  // A peer of another make takes it for a broken packet, as the second test shows.
  it.skipIf(CONTROL)('answers to where the question came from, with its number', async () => {
    const prober = await lab.prober();
    const session = await prober.connect();
    for (const id of [7, 0xfedcba98]) {
      await prober.send(session.seal(probe(PROBE_ASKS, id)));
      const answer = await prober.content(session, PATIENCE);
      expect(answer && probeKind(answer, 0, answer.length)).toBe(PROBE_ANSWERS);
      expect(answer && probeId(answer, 0)).toBe(id);
    }
    expect(await prober.ping(session)).toBe(true);
  });

  it('says nothing to an answer that it did not ask for, nor to sixteen bytes of something else', async () => {
    const prober = await lab.prober();
    const session = await prober.connect();
    expect(await prober.ping(session)).toBe(true);
    await prober.send(session.seal(probe(PROBE_ANSWERS, 1)));
    await prober.send(session.seal(probe(3, 1)));
    await prober.send(session.seal(new Uint8Array(PROBE_BYTES).fill(0x45)));
    expect(await prober.content(session, SILENCE)).toBeUndefined();
    expect(await prober.ping(session)).toBe(true);
  });
});
