/**
 * HChaCha20 (draft-irtf-cfrg-xchacha-03 section 2.2): the sub-key for the first 16 bytes of a 24-byte nonce. Only
 * cookie replies use it, so it is written for reading, not for speed.
 */

@inline
function word(state: usize, i: usize): u32 {
  return load<u32>(state + (i << 2));
}

function quarterRound(state: usize, ia: usize, ib: usize, ic: usize, id: usize): void {
  let a = word(state, ia), b = word(state, ib), c = word(state, ic), d = word(state, id);
  a += b; d = rotl<u32>(d ^ a, 16); c += d; b = rotl<u32>(b ^ c, 12);
  a += b; d = rotl<u32>(d ^ a, 8); c += d; b = rotl<u32>(b ^ c, 7);
  store<u32>(state + (ia << 2), a);
  store<u32>(state + (ib << 2), b);
  store<u32>(state + (ic << 2), c);
  store<u32>(state + (id << 2), d);
}

/** Writes the 32-byte sub-key to `out`; `state` is 64 bytes of scratch, zeroed before this returns. */
export function hchacha20(out: usize, key: usize, nonce: usize, state: usize): void {
  store<u32>(state, 0x61707865);
  store<u32>(state + 4, 0x3320646e);
  store<u32>(state + 8, 0x79622d32);
  store<u32>(state + 12, 0x6b206574);
  memory.copy(state + 16, key, 32);
  memory.copy(state + 48, nonce, 16);
  for (let round = 0; round < 10; round++) {
    quarterRound(state, 0, 4, 8, 12);
    quarterRound(state, 1, 5, 9, 13);
    quarterRound(state, 2, 6, 10, 14);
    quarterRound(state, 3, 7, 11, 15);
    quarterRound(state, 0, 5, 10, 15);
    quarterRound(state, 1, 6, 11, 12);
    quarterRound(state, 2, 7, 8, 13);
    quarterRound(state, 3, 4, 9, 14);
  }
  memory.copy(out, state, 16);
  memory.copy(out + 16, state + 48, 16);
  memory.fill(state, 0, 64);
}
