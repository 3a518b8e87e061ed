import { parseExpose, parseForward } from '../../../src/config/forwards.js';
import { readGatewaySettings } from '../../../src/config/gateway-settings.js';
import type { Problem } from '../../../src/config/problem.js';
import { LIMITS } from '../../../src/wireguard/limits.js';
import { ascii, demand, latin1, type Target } from '../target.js';

/** Forwards and the settings object: a value or a reason. */
export class Settings implements Target {
  readonly name = 'settings';
  readonly weight = 3;
  readonly samples = [
    '127.0.0.1:8080=10.0.0.2:80',
    'udp:[::1]:53=[fd00::2]:5353',
    '80=127.0.0.1:8080',
    'tcp:22=[::1]:2222',
    '{"mode":"auto","logLevel":"info","forward":["127.0.0.1:1=10.0.0.2:2"],"limits":{"maxPeers":3}}',
    '{"logFormat":"json","expose":["80=127.0.0.1:8080"]}',
  ].map(ascii);
  readonly words = [
    'tcp:',
    'udp:',
    '=',
    ':',
    '[',
    ']',
    '"',
    '{',
    '}',
    ',',
    'null',
    '1e9',
    '"mode":',
    '"__proto__":',
  ].map(ascii);
  #forwards = 0;
  #settings = 0;
  #refused = 0;

  run(message: Uint8Array): void {
    const text = latin1(message);
    for (const parse of [parseForward, parseExpose]) {
      const problems: Problem[] = [];
      const value = parse(text, problems);
      demand((value === undefined) === problems.length > 0, 'a forward with problems, or neither');
      if (value === undefined) this.#refused++;
      else this.#forwards++;
    }
    let raw: unknown;
    try {
      raw = JSON.parse(text);
    } catch {
      return;
    }
    const { settings, problems } = readGatewaySettings(raw, LIMITS);
    demand((settings === undefined) === problems.length > 0, 'settings with problems, or neither');
    if (settings !== undefined) this.#settings++;
  }

  finish(): Readonly<Record<string, number>> {
    return { forwards: this.#forwards, settings: this.#settings, refused: this.#refused };
  }
}
