/** The paper's constant strings (section 5.4) as bytes; written out because XS builds have no text encoder to spare. */

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

// Only ever read: a preloaded module keeps them in flash.
export const CONSTRUCTION = ascii('Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s');
export const IDENTIFIER = ascii('WireGuard v1 zx2c4 Jason@zx2c4.com');
export const LABEL_MAC1 = ascii('mac1----');
export const LABEL_COOKIE = ascii('cookie--');
