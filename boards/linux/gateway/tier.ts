/** The two ways to carry packets: with segmentation offload, or batch by batch through the portable core. */

import { Gateway, type GatewayOptions } from '../../../src/gateway.js';
import type { Log } from '../../../src/ports.js';
import type { KeypairObserver } from '../../../src/wireguard/keypair.js';
import type { Edge } from '../../xs/edge.js';
import { EACCES, EBUSY, ENOENT, EPERM, SystemError } from '../drivers/system-error.js';
import { Tun } from '../drivers/tun.js';
import type { Udp } from '../drivers/udp.js';
import { Offload } from '../offload/offload.js';
import { OffloadPump } from '../offload/offload-pump.js';
import { EXIT, GatewayError } from './gateway-error.js';

export type TierChoice = 'auto' | 'offload' | 'portable';

export interface PumpOptions extends Omit<GatewayOptions, 'tunnel' | 'socket'> {
  readonly socket: Udp;
}

export interface Pump {
  readonly gateway: Gateway;
  readonly counters: Readonly<Record<string, number>>;
  start(): void;
  stop(): void;
  /** The socket has another port, and so other descriptors. */
  socketMoved(): void;
  /** The errno of the last failed send since this was last asked, 0 for none; its destination goes to `record`. */
  takeFailure(record: Uint8Array): number;
}

export interface Tier {
  readonly name: 'offload' | 'portable';
  /** One clause for the owner. */
  readonly reason: string;
  readonly tun: Tun;
  /** What the device is to tell of its keys. */
  readonly keypairs: KeypairObserver | undefined;
  open(options: PumpOptions): Pump;
}

/** Makes the interface as the tier needs it. Throws a {@link GatewayError} or {@link SystemError}. */
export function chooseTier(name: string, choice: TierChoice, edge: Edge, log: Log): Tier {
  if (choice === 'portable') return portableTier(openTun(name, false, edge), 'it was asked for');
  try {
    return offloadTier(openTun(name, true, edge));
  } catch (error) {
    if (choice === 'offload' || !(error instanceof SystemError)) throw error;
    log.write('warn', 'no-offload', { reason: error.message });
    return portableTier(openTun(name, false, edge), 'this kernel offers no segmentation offload for TUN');
  }
}

function offloadTier(tun: Tun): Tier {
  const offload = new Offload();
  return {
    name: 'offload',
    reason: 'segmentation offload on TUN and UDP, every packet in C',
    tun,
    keypairs: offload,
    open: ({ socket, ...rest }) => {
      const pump = new OffloadPump({ ...rest, tun, udp: socket, offload });
      return {
        gateway: pump.gateway,
        get counters() {
          return offload.counters;
        },
        start: () => pump.start(),
        stop: () => pump.stop(),
        socketMoved: () => pump.attach(),
        takeFailure: (record) => offload.takeFailure(record) || socket.takeFailure(record),
      };
    },
  };
}

function portableTier(tun: Tun, why: string): Tier {
  return {
    name: 'portable',
    reason: `batches through the portable core, primitives in C: ${why}`,
    tun,
    keypairs: undefined,
    open: (options) => {
      const { socket } = options;
      const gateway = new Gateway({ ...options, tunnel: tun });
      return {
        gateway,
        get counters() {
          return { tunnelDropped: tun.dropped, sendDropped: socket.dropped };
        },
        start: () => gateway.start(),
        stop: () => gateway.stop(),
        socketMoved: () => {},
        takeFailure: (record) => socket.takeFailure(record),
      };
    },
  };
}

/** What no other tier could do better becomes a {@link GatewayError}. */
function openTun(name: string, offload: boolean, edge: Edge): Tun {
  try {
    return new Tun(name, offload, edge);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    switch (error.errno) {
      case EPERM:
      case EACCES:
        throw new GatewayError(EXIT.permission, `${error.message}; run as root or with CAP_NET_ADMIN`);
      case ENOENT:
        throw new GatewayError(EXIT.system, `${error.message}; load the tun module: modprobe tun`);
      case EBUSY:
        throw new GatewayError(EXIT.alreadyRunning, `${error.message}; another program has it`);
      default:
        throw error;
    }
  }
}
