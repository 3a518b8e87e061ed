/**
 * Port forwards of the modes without an interface of the host's own, as options of the command line:
 *
 * - `--forward [tcp|udp:]LISTEN_ADDRESS:PORT=TUNNEL_ADDRESS:PORT`: who connects to this host there, reaches the
 *   address inside the tunnel.
 * - `--expose [tcp|udp:]TUNNEL_PORT=HOST_ADDRESS:PORT`: who connects, through the tunnel, to this gateway's port,
 *   reaches the address outside.
 *
 * Addresses are numbers, IPv6 ones in brackets. Without a protocol, TCP is meant.
 */

import { parseDecimal } from '../packet/address.js';
import { parseEndpoint } from '../packet/endpoint-text.js';
import { error, type Problem } from './problem.js';

export type ForwardProtocol = 'tcp' | 'udp';

export interface Forward {
  readonly protocol: ForwardProtocol;
  /** Endpoint record (`src/packet/endpoint.ts`) on this host, to listen at. */
  readonly listen: Uint8Array;
  /** Endpoint record inside the tunnel, to connect to. */
  readonly target: Uint8Array;
}

export interface Expose {
  readonly protocol: ForwardProtocol;
  /** Port of the gateway's own tunnel addresses, to listen at. */
  readonly port: number;
  /** Endpoint record outside of the tunnel, to connect to. */
  readonly target: Uint8Array;
}

const FORWARD_FORM = 'write it as in tcp:127.0.0.1:8080=10.0.0.2:80';
const EXPOSE_FORM = 'write it as in tcp:80=127.0.0.1:8080';

/** Reads a `--forward`. Mistakes go to `problems`; the result is then `undefined`. */
export function parseForward(text: string, problems: Problem[]): Forward | undefined {
  const parts = splitForward(text, 'forward', FORWARD_FORM, problems);
  if (parts === undefined) return undefined;
  const listen = readAddress(parts.left, 'forward', 'the address to listen at', FORWARD_FORM, problems);
  const target = readAddress(parts.right, 'forward', 'the address in the tunnel', FORWARD_FORM, problems);
  return listen && target ? { protocol: parts.protocol, listen, target } : undefined;
}

/** Reads an `--expose`. Mistakes go to `problems`; the result is then `undefined`. */
export function parseExpose(text: string, problems: Problem[]): Expose | undefined {
  const parts = splitForward(text, 'expose', EXPOSE_FORM, problems);
  if (parts === undefined) return undefined;
  const port = parseDecimal(parts.left, 65_535);
  if (port <= 0) {
    const what = 'what stands before "=" is not a port of the gateway, a number of 1 to 65535';
    problems.push(error({ line: 0 }, 'expose', what, EXPOSE_FORM));
  }
  const target = readAddress(parts.right, 'expose', 'the address outside', EXPOSE_FORM, problems);
  return port > 0 && target ? { protocol: parts.protocol, port, target } : undefined;
}

function splitForward(
  text: string,
  key: string,
  form: string,
  problems: Problem[],
): { protocol: ForwardProtocol; left: string; right: string } | undefined {
  const named = /^(tcp|udp):/i.exec(text);
  const protocol = named?.[1].toLowerCase() === 'udp' ? 'udp' : 'tcp';
  const rest = named === null ? text : text.slice(named[0].length);
  const other = /^([a-z]+):/i.exec(rest);
  const equals = rest.indexOf('=');
  if (other !== null && other[1].toLowerCase() !== 'localhost') {
    problems.push(error({ line: 0 }, key, 'the protocol is neither tcp nor udp', form));
    return undefined;
  }
  if (equals < 0) {
    problems.push(error({ line: 0 }, key, 'there is no "=" between the two ends', form));
    return undefined;
  }
  return { protocol, left: rest.slice(0, equals), right: rest.slice(equals + 1) };
}

function readAddress(
  text: string,
  key: string,
  what: string,
  form: string,
  problems: Problem[],
): Uint8Array | undefined {
  const endpoint = parseEndpoint(text);
  if (endpoint.kind === 'address') return endpoint.record;
  const mistake = endpoint.kind === 'name' ? 'it is a name, not a number' : endpoint.message;
  problems.push(error({ line: 0 }, key, `${what} is not right: ${mistake}`, form));
  return undefined;
}
