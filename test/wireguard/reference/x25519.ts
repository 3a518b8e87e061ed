/**
 * X25519 straight from RFC 7748 section 5, with BigInt: slow, plain, not constant time. For tests only.
 */

const P = 2n ** 255n - 19n;
const A24 = 121665n;

function mod(n: bigint): bigint {
  const r = n % P;
  return r < 0n ? r + P : r;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = base;
  for (let e = exponent; e > 0n; e >>= 1n) {
    if (e & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

function fromLittleEndian(bytes: Uint8Array): bigint {
  let n = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) n = (n << 8n) | BigInt(bytes[i]);
  return n;
}

function toLittleEndian(n: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let i = 0, rest = n; i < 32; i++, rest >>= 8n) bytes[i] = Number(rest & 255n);
  return bytes;
}

/** Shared secret (32 bytes) of a private and a public key; all zero for points of low order. */
export function x25519(privateKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  // RFC 7748 section 5, decodeScalar25519: three bits cleared below, one set and one cleared above.
  const k = (fromLittleEndian(privateKey) & ((1n << 254n) - 8n)) | (1n << 254n);
  // decodeUCoordinate: the most significant bit of the last byte is ignored.
  const u = mod(fromLittleEndian(publicKey) & ((1n << 255n) - 1n));
  let x2 = 1n;
  let z2 = 0n;
  let x3 = u;
  let z3 = 1n;
  let swapped = false;
  for (let t = 254n; t >= 0n; t--) {
    const bit = ((k >> t) & 1n) === 1n;
    if (bit !== swapped) {
      [x2, x3] = [x3, x2];
      [z2, z3] = [z3, z2];
    }
    swapped = bit;
    const a = mod(x2 + z2);
    const aa = mod(a * a);
    const b = mod(x2 - z2);
    const bb = mod(b * b);
    const e = mod(aa - bb);
    const da = mod((x3 - z3) * a);
    const cb = mod((x3 + z3) * b);
    x3 = mod((da + cb) ** 2n);
    z3 = mod(u * mod((da - cb) ** 2n));
    x2 = mod(aa * bb);
    z2 = mod(e * mod(aa + A24 * e));
  }
  if (swapped) {
    [x2, x3] = [x3, x2];
    [z2, z3] = [z3, z2];
  }
  return toLittleEndian(mod(x2 * power(z2, P - 2n)));
}

const BASE_POINT = toLittleEndian(9n);

export function publicKeyOf(privateKey: Uint8Array): Uint8Array {
  return x25519(privateKey, BASE_POINT);
}

/** The u-coordinates of small order on the curve and its twist, reduced and not (RFC 7748 section 7). */
export const LOW_ORDER_POINTS: readonly Uint8Array[] = [
  0n,
  1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
  P - 1n,
  P,
  P + 1n,
].map(toLittleEndian);
