import { PortablePump, type Pump, type PumpOptions } from './pump.js';
import type { TierChoice } from './request.js';

/** Whether the tunnel should be opened with segmentation offload; the portable pump cannot read that. */
export function wantsOffload(_tier: TierChoice): boolean {
  return false;
}

/** The fastest pump that this tunnel allows, or the one asked for. */
export function openPump(tier: TierChoice, options: PumpOptions): Pump {
  if (tier === 'portable') return new PortablePump(options, 'asked for');
  return new PortablePump(options, 'the offloading data path is not built in');
}
