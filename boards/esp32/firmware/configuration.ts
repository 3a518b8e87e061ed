import { formatProblem } from '../../../src/config/problem.js';
import type { TunnelConfig } from '../../../src/config/tunnel-config.js';
import { parseWgQuick } from '../../../src/config/wg-quick.js';
import { KEY_BYTES, type Primitives } from '../../../src/crypto/primitives.js';

export interface ReadConfiguration {
  /** `undefined` when there is an error. */
  readonly config: TunnelConfig | undefined;
  /** One line each. */
  readonly problems: readonly string[];
}

/** Reads a wg-quick configuration from flash. No problem repeats a value, which might be a key. */
export function readConfiguration(
  bytes: Uint8Array,
  name: string,
  primitives: Primitives,
): ReadConfiguration {
  const publicKeyOf = (privateKey: Uint8Array): Uint8Array => {
    const publicKey = new Uint8Array(KEY_BYTES);
    primitives.x25519PublicKey(publicKey, privateKey);
    return publicKey;
  };
  const { config, problems } = parseWgQuick(asciiText(bytes), { publicKeyOf });
  return { config, problems: problems.map((problem) => formatProblem(problem, name)) };
}

/** Everything a configuration means is ASCII; other characters, of comments, become question marks. */
function asciiText(bytes: Uint8Array): string {
  const PIECE = 64;
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) {
    const codes: number[] = [];
    const end = Math.min(bytes.length, at + PIECE);
    for (let i = at; i < end; i++) if (bytes[i] !== 0) codes.push(bytes[i] < 0x80 ? bytes[i] : 0x3f);
    text += String.fromCharCode(...codes);
  }
  return text;
}
