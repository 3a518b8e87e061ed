/** X25519 with big integers, the formulas of RFC 7748 section 5 one by one. */

const P = 2n ** 255n - 19n;
const A24 = 121665n;

export function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return value;
}

export function toLittleEndian(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0, rest = value; i < length; i++, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

function mod(value: bigint): bigint {
  const rest = value % P;
  return rest < 0n ? rest + P : rest;
}

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let square = base, rest = exponent; rest > 0n; rest >>= 1n, square = mod(square * square)) {
    if (rest & 1n) result = mod(result * square);
  }
  return result;
}

/** decodeScalar25519 */
function clamp(k: Uint8Array): bigint {
  const bytes = Uint8Array.from(k);
  bytes[0]! &= 248;
  bytes[31]! &= 127;
  bytes[31]! |= 64;
  return littleEndian(bytes);
}

export function x25519(k: Uint8Array, u: Uint8Array): Uint8Array {
  const scalar = clamp(k);
  const x1 = mod(littleEndian(u) & (2n ** 255n - 1n)); // the top bit is masked, other excess reduced
  let x2 = 1n;
  let z2 = 0n;
  let x3 = x1;
  let z3 = 1n;
  let swap = false;
  for (let t = 254n; t >= 0n; t--) {
    const bit = ((scalar >> t) & 1n) === 1n;
    if (swap !== bit) {
      [x2, x3] = [x3, x2];
      [z2, z3] = [z3, z2];
    }
    swap = bit;
    const a = mod(x2 + z2);
    const aa = mod(a * a);
    const b = mod(x2 - z2);
    const bb = mod(b * b);
    const e = mod(aa - bb);
    const da = mod((x3 - z3) * a);
    const cb = mod((x3 + z3) * b);
    x3 = mod((da + cb) ** 2n);
    z3 = mod(x1 * mod((da - cb) ** 2n));
    x2 = mod(aa * bb);
    z2 = mod(e * (aa + A24 * e));
  }
  return toLittleEndian(mod((swap ? x3 : x2) * power(swap ? z3 : z2, P - 2n)), 32);
}

export const BASE_POINT = toLittleEndian(9n, 32);
