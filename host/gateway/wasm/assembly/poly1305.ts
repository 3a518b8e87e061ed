/**
 * Poly1305 (RFC 8439 section 2.5) on 32-bit limbs held in 64-bit integers: 21 multiplications a block, which V8
 * compiles better than any vector form of it. State in memory, all u64:
 * h0..h4 (accumulator), r0..r3 (clamped key), then the 16 bytes added at the end.
 */

const H: usize = 0;
const R: usize = 40;
const PAD: usize = 72;

/** Starts with the 32-byte one-time key. */
export function polyInit(state: usize, key: usize): void {
  memory.fill(state, 0, 40);
  // Clamping, RFC 8439 section 2.5.1.
  store<u64>(state + R, u64(load<u32>(key) & 0x0fffffff));
  store<u64>(state + R + 8, u64(load<u32>(key + 4) & 0x0ffffffc));
  store<u64>(state + R + 16, u64(load<u32>(key + 8) & 0x0ffffffc));
  store<u64>(state + R + 24, u64(load<u32>(key + 12) & 0x0ffffffc));
  store<u64>(state + PAD, load<u64>(key + 16));
  store<u64>(state + PAD + 8, load<u64>(key + 24));
}

/** Takes in `blocks` whole blocks of 16 bytes. */
export function polyBlocks(state: usize, data: usize, blocks: usize): void {
  const MASK: u64 = 0xffffffff;
  let h0 = load<u64>(state + H), h1 = load<u64>(state + H + 8), h2 = load<u64>(state + H + 16);
  let h3 = load<u64>(state + H + 24), h4 = load<u64>(state + H + 32);
  const r0 = load<u64>(state + R), r1 = load<u64>(state + R + 8);
  const r2 = load<u64>(state + R + 16), r3 = load<u64>(state + R + 24);
  // 2^130 = 5 mod p, and r1..r3 are multiples of 4: a product of weight 2^128 or more folds down as r * 5 / 4.
  const q0 = (r0 >> 2) * 5, q1 = (r1 >> 2) * 5, q2 = (r2 >> 2) * 5, q3 = (r3 >> 2) * 5;
  const low = r0 & 3;
  const end = data + (blocks << 4);
  while (data < end) {
    const s0 = h0 + u64(load<u32>(data));
    const s1 = h1 + u64(load<u32>(data, 4));
    const s2 = h2 + u64(load<u32>(data, 8));
    const s3 = h3 + u64(load<u32>(data, 12));
    const s4 = h4 + 1;
    // Each sum stays below 5 * 2^33 * 1.25 * 2^28 < 2^64.
    const x0 = s0 * r0 + s1 * q3 + s2 * q2 + s3 * q1 + s4 * q0;
    const x1 = s0 * r1 + s1 * r0 + s2 * q3 + s3 * q2 + s4 * q1;
    const x2 = s0 * r2 + s1 * r1 + s2 * r0 + s3 * q3 + s4 * q2;
    const x3 = s0 * r3 + s1 * r2 + s2 * r1 + s3 * r0 + s4 * q3;
    const top = s4 * low + (x3 >> 32);
    h0 = (x0 & MASK) + (top >> 2) * 5;
    h1 = (x1 & MASK) + (x0 >> 32) + (h0 >> 32);
    h2 = (x2 & MASK) + (x1 >> 32) + (h1 >> 32);
    h3 = (x3 & MASK) + (x2 >> 32) + (h2 >> 32);
    h4 = (top & 3) + (h3 >> 32);
    h0 &= MASK;
    h1 &= MASK;
    h2 &= MASK;
    h3 &= MASK;
    data += 16;
  }
  store<u64>(state + H, h0);
  store<u64>(state + H + 8, h1);
  store<u64>(state + H + 16, h2);
  store<u64>(state + H + 24, h3);
  store<u64>(state + H + 32, h4);
}

/** Takes in `length` bytes followed by zeros up to a multiple of 16, as the AEAD construction wants (section 2.8). */
export function polyPadded(state: usize, data: usize, length: usize, scratch: usize): void {
  const whole = length & ~15;
  polyBlocks(state, data, whole >> 4);
  if (whole < length) {
    v128.store(scratch, i64x2(0, 0));
    for (let i = whole; i < length; i++) store<u8>(scratch + i - whole, load<u8>(data + i));
    polyBlocks(state, scratch, 1);
  }
}

/** Writes the 16-byte tag to `out` and erases the state. */
export function polyFinish(state: usize, out: usize): void {
  const MASK: u64 = 0xffffffff;
  const h0 = load<u64>(state + H), h1 = load<u64>(state + H + 8), h2 = load<u64>(state + H + 16);
  const h3 = load<u64>(state + H + 24), h4 = load<u64>(state + H + 32);
  // h is below 2^131; h >= p exactly when h + 5 reaches 2^130. Subtracting p then is adding 5 and losing the top.
  let carry: u64 = 5;
  carry = (h0 + carry) >> 32;
  carry = (h1 + carry) >> 32;
  carry = (h2 + carry) >> 32;
  carry = (h3 + carry) >> 32;
  carry = ((h4 + carry) >> 2) * 5;
  // (h4's own excess is at most 1, so one fold is complete)
  const p0 = load<u64>(state + PAD), p1 = load<u64>(state + PAD + 8);
  let t = h0 + (p0 & MASK) + carry;
  store<u32>(out, u32(t));
  t = h1 + (p0 >> 32) + (t >> 32);
  store<u32>(out + 4, u32(t));
  t = h2 + (p1 & MASK) + (t >> 32);
  store<u32>(out + 8, u32(t));
  t = h3 + (p1 >> 32) + (t >> 32);
  store<u32>(out + 12, u32(t));
  memory.fill(state, 0, PAD + 16);
}
