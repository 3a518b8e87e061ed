/**
 * ChaCha20 (RFC 8439 section 2.3), four blocks at a time: word i of all four blocks sits in one vector, so the rounds
 * need no shuffling and only the result is transposed.
 */

@inline
function add(a: v128, b: v128): v128 {
  return i32x4.add(a, b);
}

// V8 turns a swizzle by a constant mask into one plain byte shuffle: cheaper here than two shifts and an or.

@inline
function xorRotate16(a: v128, b: v128): v128 {
  return i8x16.swizzle(v128.xor(a, b), i8x16(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13));
}

@inline
function xorRotate8(a: v128, b: v128): v128 {
  return i8x16.swizzle(v128.xor(a, b), i8x16(3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14));
}

@inline
function xorRotate12(a: v128, b: v128): v128 {
  const x = v128.xor(a, b);
  return v128.or(i32x4.shl(x, 12), i32x4.shr_u(x, 20));
}

@inline
function xorRotate7(a: v128, b: v128): v128 {
  const x = v128.xor(a, b);
  return v128.or(i32x4.shl(x, 7), i32x4.shr_u(x, 25));
}

/** Writes rows i..i+3 of the transposed state, XORed with the source, to their place in each of the four blocks. */
@inline
function store4(to: usize, from: usize, row: usize, a: v128, b: v128, c: v128, d: v128): void {
  const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
  const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
  const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
  const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
  v128.store(to + row, v128.xor(v128.load(from + row), v128.shuffle<i64>(ab0, cd0, 0, 2)));
  v128.store(to + 64 + row, v128.xor(v128.load(from + 64 + row), v128.shuffle<i64>(ab0, cd0, 1, 3)));
  v128.store(to + 128 + row, v128.xor(v128.load(from + 128 + row), v128.shuffle<i64>(ab1, cd1, 0, 2)));
  v128.store(to + 192 + row, v128.xor(v128.load(from + 192 + row), v128.shuffle<i64>(ab1, cd1, 1, 3)));
}

/**
 * `to[0..256) = from[0..256) xor keystream of blocks counter .. counter + 3`. The nonce is four zero bytes and the
 * 64-bit number `nonceHigh:nonceLow`, as WireGuard has it. `to` may equal `from`.
 */
export function xorFourBlocks(to: usize, from: usize, key: usize, counter: u32, nonceLow: u32, nonceHigh: u32): void {
  const c0 = i32x4.splat(0x61707865), c1 = i32x4.splat(0x3320646e);
  const c2 = i32x4.splat(0x79622d32), c3 = i32x4.splat(0x6b206574);
  const blocks = i32x4.add(i32x4.splat(counter), i32x4(0, 1, 2, 3));
  let x0 = c0, x1 = c1, x2 = c2, x3 = c3;
  let x4 = v128.load32_splat(key), x5 = v128.load32_splat(key, 4);
  let x6 = v128.load32_splat(key, 8), x7 = v128.load32_splat(key, 12);
  let x8 = v128.load32_splat(key, 16), x9 = v128.load32_splat(key, 20);
  let x10 = v128.load32_splat(key, 24), x11 = v128.load32_splat(key, 28);
  let x12 = blocks, x13 = i32x4.splat(0);
  let x14 = i32x4.splat(nonceLow), x15 = i32x4.splat(nonceHigh);
  for (let round = 0; round < 10; round++) {
    // quarter round 0, 4, 8, 12
    x0 = add(x0, x4); x12 = xorRotate16(x12, x0); x8 = add(x8, x12); x4 = xorRotate12(x4, x8);
    x0 = add(x0, x4); x12 = xorRotate8(x12, x0); x8 = add(x8, x12); x4 = xorRotate7(x4, x8);
    // quarter round 1, 5, 9, 13
    x1 = add(x1, x5); x13 = xorRotate16(x13, x1); x9 = add(x9, x13); x5 = xorRotate12(x5, x9);
    x1 = add(x1, x5); x13 = xorRotate8(x13, x1); x9 = add(x9, x13); x5 = xorRotate7(x5, x9);
    // quarter round 2, 6, 10, 14
    x2 = add(x2, x6); x14 = xorRotate16(x14, x2); x10 = add(x10, x14); x6 = xorRotate12(x6, x10);
    x2 = add(x2, x6); x14 = xorRotate8(x14, x2); x10 = add(x10, x14); x6 = xorRotate7(x6, x10);
    // quarter round 3, 7, 11, 15
    x3 = add(x3, x7); x15 = xorRotate16(x15, x3); x11 = add(x11, x15); x7 = xorRotate12(x7, x11);
    x3 = add(x3, x7); x15 = xorRotate8(x15, x3); x11 = add(x11, x15); x7 = xorRotate7(x7, x11);
    // quarter round 0, 5, 10, 15
    x0 = add(x0, x5); x15 = xorRotate16(x15, x0); x10 = add(x10, x15); x5 = xorRotate12(x5, x10);
    x0 = add(x0, x5); x15 = xorRotate8(x15, x0); x10 = add(x10, x15); x5 = xorRotate7(x5, x10);
    // quarter round 1, 6, 11, 12
    x1 = add(x1, x6); x12 = xorRotate16(x12, x1); x11 = add(x11, x12); x6 = xorRotate12(x6, x11);
    x1 = add(x1, x6); x12 = xorRotate8(x12, x1); x11 = add(x11, x12); x6 = xorRotate7(x6, x11);
    // quarter round 2, 7, 8, 13
    x2 = add(x2, x7); x13 = xorRotate16(x13, x2); x8 = add(x8, x13); x7 = xorRotate12(x7, x8);
    x2 = add(x2, x7); x13 = xorRotate8(x13, x2); x8 = add(x8, x13); x7 = xorRotate7(x7, x8);
    // quarter round 3, 4, 9, 14
    x3 = add(x3, x4); x14 = xorRotate16(x14, x3); x9 = add(x9, x14); x4 = xorRotate12(x4, x9);
    x3 = add(x3, x4); x14 = xorRotate8(x14, x3); x9 = add(x9, x14); x4 = xorRotate7(x4, x9);
  }
  store4(to, from, 0, add(x0, c0), add(x1, c1), add(x2, c2), add(x3, c3));
  store4(to, from, 16,
    add(x4, v128.load32_splat(key)), add(x5, v128.load32_splat(key, 4)),
    add(x6, v128.load32_splat(key, 8)), add(x7, v128.load32_splat(key, 12)));
  store4(to, from, 32,
    add(x8, v128.load32_splat(key, 16)), add(x9, v128.load32_splat(key, 20)),
    add(x10, v128.load32_splat(key, 24)), add(x11, v128.load32_splat(key, 28)));
  store4(to, from, 48, add(x12, blocks), x13, add(x14, i32x4.splat(nonceLow)), add(x15, i32x4.splat(nonceHigh)));
}

/**
 * XORs `length` bytes in place with the keystream in memory at `keystream`; both may be read up to the next multiple
 * of 16, only `length` bytes are written.
 */
export function xorKeystream(data: usize, length: usize, keystream: usize): void {
  let i: usize = 0;
  for (; i + 16 <= length; i += 16) {
    v128.store(data + i, v128.xor(v128.load(data + i), v128.load(keystream + i)));
  }
  for (; i < length; i++) store<u8>(data + i, load<u8>(data + i) ^ load<u8>(keystream + i));
}
