import { Kdf } from '../../src/crypto/kdf.js';
import type { Primitives } from '../../src/crypto/primitives.js';
import { hex, toHex } from './hex.js';
import { Seeded } from './seeded.js';
import lowOrder from './vectors/low-order.json' with { type: 'json' };

const LOW_ORDER = lowOrder.points.map(({ u }) => hex(u));

/** Runs one operation and gives everything that can be observed of it. */
type Operation = (primitives: Primitives) => unknown[];
type Make = (random: Seeded) => Operation;

const AEAD: Make = (random) => {
  const [key, low, high] = [random.bytes(32), random.word(), random.pick([0, 1, 2 ** 31, random.word()])];
  const sealed = sealing(random);
  return (primitives) =>
    sealed(
      (b, at, length, ad) => primitives.aeadSeal(key, low, high, b, at, length, ad),
      (b, at, length, ad) => primitives.aeadOpen(key, low, high, b, at, length, ad),
    );
};

const XAEAD: Make = (random) => {
  const [key, nonce] = [random.bytes(32), random.bytes(24)];
  const sealed = sealing(random);
  return (primitives) =>
    sealed(
      (b, at, length, ad) => primitives.xaeadSeal(key, nonce, b, at, length, ad),
      (b, at, length, ad) => primitives.xaeadOpen(key, nonce, b, at, length, ad),
    );
};

type Seal = (buffer: Uint8Array, offset: number, length: number, ad: Uint8Array) => void;
type Open = (buffer: Uint8Array, offset: number, length: number, ad: Uint8Array) => boolean;

/** Seals, opens what was sealed, and opens it with some bit wrong. */
function sealing(random: Seeded): (seal: Seal, open: Open) => unknown[] {
  const offset = random.below(40);
  const length = random.pick([random.below(64), random.below(300), random.below(2000)]);
  const ad = random.bytes(random.pick([0, 0, 16, 32, random.below(100)]));
  const before = random.bytes(offset + length + 16 + random.below(40));
  const flip = random.below(8 * (length + 16));
  return (seal, open) => {
    const buffer = Uint8Array.from(before);
    seal(buffer, offset, length, ad);
    const sealed = toHex(buffer);
    const forged = Uint8Array.from(buffer);
    forged[offset + (flip >> 3)]! ^= 1 << (flip & 7);
    const opened = open(buffer, offset, length + 16, ad);
    const restored =
      toHex(buffer.subarray(0, offset + length)) === toHex(before.subarray(0, offset + length));
    if (!opened || !restored) throw new Error('cannot open what it sealed');
    if (open(forged, offset, length + 16, ad)) throw new Error(`accepts a forgery (bit ${flip})`);
    return [sealed];
  };
}

const X25519: Make = (random) => {
  const privateKey = random.bytes(32);
  const publicKey = random.pick([
    random.bytes(32),
    random.bytes(32),
    random.bytes(32),
    random.pick(LOW_ORDER),
  ]);
  return (primitives) => {
    const [out, own] = [new Uint8Array(32), new Uint8Array(32)];
    const good = primitives.x25519(out, privateKey, publicKey);
    primitives.x25519PublicKey(own, privateKey);
    return [good, toHex(out), toHex(own)];
  };
};

const HASHES: Make = (random) => {
  const input = random.bytes(random.pick([random.below(70), random.below(300), 148, 32]));
  const key = random.bytes(random.below(140));
  const macKey = random.bytes(1 + random.below(32));
  return (primitives) => {
    const [hash, mac, hmac] = [new Uint8Array(32), new Uint8Array(16), new Uint8Array(32)];
    primitives.hash(hash, input);
    primitives.mac(mac, macKey, input);
    primitives.hmac(hmac, key, input);
    return [hash, mac, hmac].map(toHex);
  };
};

const KDF: Make = (random) => {
  const [key, input] = [random.bytes(32), random.bytes(random.pick([0, 32, random.below(100)]))];
  return (primitives) => {
    const outputs = [Uint8Array.from(key), new Uint8Array(32), new Uint8Array(32)] as const;
    new Kdf(primitives).derive3(...outputs, outputs[0], input);
    return outputs.map(toHex);
  };
};

/** X25519 is by far the dearest, and the AEADs have the most ways to go wrong. */
const KINDS: readonly [string, number, Make][] = [
  ['ChaCha20-Poly1305', 50, AEAD],
  ['XChaCha20-Poly1305', 15, XAEAD],
  ['BLAKE2s', 20, HASHES],
  ['KDF', 10, KDF],
  ['X25519', 5, X25519],
];

/**
 * Puts `cases` random cases to both and compares every byte. Throws at the first difference, naming the case's own
 * seed, with which `compare(a, b, 1, seed)` repeats it. Calls `progress` with the number done now and then.
 */
export function compare(
  a: Primitives,
  b: Primitives,
  cases: number,
  seed: number,
  progress: (done: number) => void = () => {},
): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < cases; i++) {
    const random = new Seeded(seed + i);
    let ticket = random.below(KINDS.reduce((sum, [, weight]) => sum + weight, 0));
    const [kind, , make] = KINDS.find(([, weight]) => {
      ticket -= weight;
      return ticket < 0;
    })!;
    const operation = make(random);
    const [ofA, ofB] = [run(operation, a, seed + i), run(operation, b, seed + i)];
    if (JSON.stringify(ofA) !== JSON.stringify(ofB)) {
      throw new Error(`${a.name} and ${b.name} differ in ${kind}, seed ${seed + i}:\n  ${ofA}\n  ${ofB}`);
    }
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
    if ((i + 1) % 10_000 === 0) progress(i + 1);
  }
  return counts;
}

function run(operation: Operation, primitives: Primitives, seed: number): unknown[] {
  try {
    return operation(primitives);
  } catch (error) {
    throw new Error(`${primitives.name}, seed ${seed}: ${(error as Error).message}`, { cause: error });
  }
}
