import type { Log } from '../../src/ports.js';
import type { KeypairObserver } from '../../src/wireguard/keypair.js';
import { messageOf } from './errors.js';
import { KeySlots } from './offload/key-slots.js';
import { OffloadPump } from './offload/offload-pump.js';
import type { TunnelMode } from './platform/tunnel.js';
import { PortablePump, type Pump, type PumpOptions } from './pump.js';
import type { TierChoice } from './request.js';
import { Kernel } from './wasm/kernel.js';

/** The tier, chosen before there is a device or a tunnel, since both have to be made for it. */
export interface Tier {
  /** Open the tunnel with segmentation offload; the portable pump cannot read that. */
  readonly vnetHeader: boolean;
  /** For the device. */
  readonly keypairs: KeypairObserver | undefined;
  open(options: PumpOptions): Pump;
}

/** The fastest tier that this host allows, or the one asked for. */
export function chooseTier(asked: TierChoice, mode: TunnelMode, log: Log): Tier {
  if (asked === 'portable') return portable('asked for');
  if (mode === 'minimal') return portable('there is no interface whose offloads could be used');
  let kernel: Kernel;
  try {
    kernel = new Kernel();
  } catch (error) {
    log.write('warn', 'kernel-not-loaded', { reason: messageOf(error) });
    return portable(messageOf(error));
  }
  return {
    vnetHeader: true,
    keypairs: new KeySlots(kernel),
    open: (options) => {
      if (options.tunnel.tun?.offload) return new OffloadPump({ ...options, kernel });
      return new PortablePump(options, 'the TUN interface was opened without segmentation offload');
    },
  };
}

function portable(reason: string): Tier {
  return { vnetHeader: false, keypairs: undefined, open: (options) => new PortablePump(options, reason) };
}
