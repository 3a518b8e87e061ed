import type { Log } from '../../src/ports.js';
import type { KeypairObserver } from '../../src/wireguard/keypair.js';
import { messageOf } from './errors.js';
import { laneWorkerFile } from './native/lane-keeper.js';
import { type Linux, loadLinux, NativeMissingError } from './native/linux.js';
import { type NativeParts, NativePump } from './native/native-pump.js';
import { DEFAULT_QUEUE_LIMITS, type QueueLimits, queueCount } from './native/queues.js';
import { checkNative, checkOpenSsl } from './native/self-check.js';
import { SharedTables } from './native/shared-tables.js';
import { requireReleasableSockets } from './native/sockets.js';
import { KeySlots } from './offload/key-slots.js';
import { OffloadPump } from './offload/offload-pump.js';
import type { TunnelMode } from './platform/tunnel.js';
import { PortablePump, type Pump, type PumpOptions } from './pump.js';
import type { TierChoice } from './request.js';
import { Kernel, KernelError } from './wasm/kernel.js';

/** The tier, chosen before there is a device or a tunnel, since both have to be made for it. */
export interface Tier {
  /** Open the tunnel with segmentation offload; the portable pump cannot read that. */
  readonly vnetHeader: boolean;
  /** Queues that the tunnel's interface is to have. */
  readonly queues?: number;
  /** For the device. */
  readonly keypairs: KeypairObserver | undefined;
  open(options: PumpOptions): Pump;
}

const NO_OFFLOAD = 'the TUN interface was opened without segmentation offload';

/**
 * The fastest tier that this host allows, or the one asked for as far as the host allows it. With `paths`, peers are
 * reached in other ways than by UDP, too.
 */
export function chooseTier(
  asked: TierChoice,
  mode: TunnelMode,
  log: Log,
  paths = false,
  limits: Partial<QueueLimits> = {},
): Tier {
  if (asked === 'portable') return portable('asked for');
  if (mode === 'minimal') return portable('there is no interface whose offloads could be used');
  let kernel: Kernel;
  try {
    kernel = new Kernel();
  } catch (error) {
    log.write('warn', 'kernel-not-loaded', { reason: messageOf(error) });
    return portable(messageOf(error));
  }
  if (asked === 't0') return offload(kernel, 'asked for');
  if (paths) return offload(kernel, 'the threads of t1 know nothing but UDP, and relays are configured');
  try {
    // In a namespace of its own the gateway cannot open further sockets outside.
    const queues = mode === 'tun' ? queueCount({ ...DEFAULT_QUEUE_LIMITS, ...limits }) : 1;
    return native(prepareNative(kernel, asked === 't2', log), queues);
  } catch (error) {
    if (!(error instanceof NativeMissingError || error instanceof KernelError)) throw error;
    log.write('info', 'native-tier-missing', { reason: error.message });
    return offload(kernel, `t1 cannot be had: ${error.message}`);
  }
}

/** Throws {@link NativeMissingError} or KernelError. */
function prepareNative(kernel: Kernel, openssl: boolean, log: Log): NativeParts {
  const linux = loadLinux();
  const workerFile = laneWorkerFile();
  requireReleasableSockets();
  checkNative(linux, kernel);
  const lane = kernel.laneAt(kernel.allocateLane());
  const tables = new SharedTables(kernel, lane);
  return {
    kernel,
    linux,
    lane,
    workerFile,
    tables,
    openssl: openssl ? prepareOpenSsl(kernel, linux, log) : WITHOUT,
  };
}

const WITHOUT = { used: false, reason: '' };

/** OpenSSL if it does the very same as the portable path. */
function prepareOpenSsl(kernel: Kernel, linux: Linux, log: Log): NativeParts['openssl'] {
  try {
    checkOpenSsl(kernel, linux.addressOf(kernel.memory.buffer));
    return { used: true, reason: 'long messages by the OpenSSL inside Node, ' };
  } catch (error) {
    if (!(error instanceof NativeMissingError)) throw error;
    log.write('warn', 'openssl-not-used', { reason: error.message });
    return { used: false, reason: `t2 cannot be had: ${error.message}; ` };
  }
}

function native(parts: NativeParts, queues: number): Tier {
  return {
    vnetHeader: true,
    queues,
    keypairs: parts.tables,
    open: (options) =>
      options.tunnel.tun?.offload ? new NativePump(options, parts) : new PortablePump(options, NO_OFFLOAD),
  };
}

function offload(kernel: Kernel, why: string): Tier {
  return {
    vnetHeader: true,
    keypairs: new KeySlots(kernel),
    open: (options) =>
      options.tunnel.tun?.offload
        ? new OffloadPump({ ...options, kernel, why })
        : new PortablePump(options, NO_OFFLOAD),
  };
}

function portable(reason: string): Tier {
  return { vnetHeader: false, keypairs: undefined, open: (options) => new PortablePump(options, reason) };
}
