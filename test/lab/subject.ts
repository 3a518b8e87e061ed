import { createRequire } from 'node:module';
import { GatewayEnd, PROGRAM, XS_PROGRAM } from './gateway-end.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { IP, NFT, PING, type Requirement, WG, WIREGUARD_GO } from './requirements.js';
import type { TunnelConfig } from './tunnel-config.js';
import type { TunnelEnd } from './tunnel-end.js';
import { WireGuardGoEnd } from './wireguard-go-end.js';

/** LAB_CONTROL=1 puts wireguard-go in our place: what it passes, and we do not, is our fault. */
export const CONTROL = process.env.LAB_CONTROL === '1';

/** The subject is the host for Node. */
export const NODE_ENGINE = (process.env.GATEWAY_ENGINE ?? 'node') === 'node';

/** The subject's UDP sockets are served by Node itself: tiers below t1, which needs the package koffi. */
export const NODE_SOCKETS =
  NODE_ENGINE && (['portable', 't0'].includes(process.env.GATEWAY_TIER ?? 'auto') || !isInstalled('koffi'));

function isInstalled(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/** What the subject is started from; a command given in full is its giver's business. */
function programs(): readonly Requirement[] {
  if (CONTROL) return [];
  const engine = process.env.GATEWAY_ENGINE ?? 'node';
  return engine === 'node' ? [{ file: PROGRAM }] : engine === 'xs' ? [{ file: XS_PROGRAM }] : [];
}

/** What every lab test needs. */
export const NEEDS: readonly Requirement[] = ['root', IP, NFT, PING, WG, WIREGUARD_GO, ...programs()];

export const SUBJECT = CONTROL ? 'wireguard-go (control group)' : 'the gateway';

/** The end under test. */
export function subject(lab: Lab, space: Namespace, config: TunnelConfig, name?: string): TunnelEnd {
  return CONTROL ? new WireGuardGoEnd(lab, space, config, name) : new GatewayEnd(lab, space, config, name);
}
