/**
 * UDP_GRO hands over several datagrams of equal length as one. Node's sockets do not pass on that length, so it is
 * looked for: WireGuard messages begin with one of 1..4 and three zero bytes, which in ciphertext happens by chance
 * once in 2^30 places. What is found is a guess; only an authentic message proves it (see offload/receive.ts).
 */

/** The first offset from `from` on, before `length`, where a message could begin; `length` when there is none. */
export function nextMessage(data: usize, length: usize, from: usize): usize {
  let i = from;
  const zero = i8x16.splat(0);
  const four = i8x16.splat(4);
  // Sixteen places at a time, reading three bytes further: stop where those would lie outside.
  for (; i + 19 <= length; i += 16) {
    const b0 = v128.load(data + i);
    const rest = v128.or(v128.or(v128.load(data + i + 1), v128.load(data + i + 2)), v128.load(data + i + 3));
    const small = v128.andnot(i8x16.le_u(b0, four), i8x16.eq(b0, zero));
    const mask = i8x16.bitmask(v128.and(small, i8x16.eq(rest, zero)));
    if (mask != 0) return i + usize(ctz<i32>(mask));
  }
  for (; i + 4 <= length; i++) {
    const word = load<u32>(data + i);
    if (word >= 1 && word <= 4) return i;
  }
  return length;
}
