/** Finds the best mode that this machine allows, by trying, and says why. */

import { EXIT, GatewayError, messageOf } from '../errors.js';
import { findProgram, run } from './command.js';
import { namespaceCommand } from './namespace.js';
import { lacksNetAdmin, lacksTunDevice, namespacesForbidden } from './privileges.js';
import type { ModeChoice, TunnelMode } from './tunnel.js';

/** Best first. */
export const TUNNEL_MODES: readonly TunnelMode[] = ['tun', 'rootless', 'minimal'];

const PROBE_INTERFACE = 'cbprobe0';

const REASONS: Readonly<Record<TunnelMode, string>> = {
  tun: 'this process may open a TUN interface and configure it',
  rootless: "own user and network namespace, where the kernel's TCP/IP serves",
  minimal: 'user space answers ping and carries UDP forwards; no TCP',
};

/**
 * The first mode that works, or the one that is `forced`. Rejects with the reason when the forced one does not work
 * here. Nothing is left of what is tried.
 */
export async function chooseMode(
  options: { readonly forced?: TunnelMode | undefined } = {},
): Promise<ModeChoice> {
  const { forced } = options;
  if (forced !== undefined) {
    const obstacle = await obstacleTo(forced);
    if (obstacle !== undefined) {
      throw new GatewayError(EXIT.permission, `mode ${forced} is not possible here: ${obstacle}`);
    }
    return { mode: forced, reason: `asked for; ${REASONS[forced]}`, rejected: [] };
  }
  const rejected: { mode: TunnelMode; reason: string }[] = [];
  for (const mode of TUNNEL_MODES) {
    const obstacle = await obstacleTo(mode);
    if (obstacle === undefined) return { mode, reason: reasonFor(mode, rejected), rejected };
    rejected.push({ mode, reason: obstacle });
  }
  throw new Error('the minimal mode has no obstacle');
}

function reasonFor(mode: TunnelMode, rejected: readonly { mode: TunnelMode; reason: string }[]): string {
  const why = rejected.map((other) => `not ${other.mode}: ${other.reason}`);
  return [REASONS[mode], ...why].join('; ');
}

/** Why a mode cannot be had, as a clause; `undefined` when it can. */
async function obstacleTo(mode: TunnelMode): Promise<string | undefined> {
  switch (mode) {
    case 'tun':
      return lacksNetAdmin() ?? lacksTools() ?? lacksTunDevice();
    case 'rootless':
      return lacksTools() ?? lacksTunDevice() ?? (await rootlessObstacle());
    case 'minimal':
      return undefined;
  }
}

function lacksTools(): string | undefined {
  if (findProgram('ip') === undefined) return 'the ip command is missing (Debian: apt install iproute2)';
  if (findProgram('perl') === undefined && findProgram('python3') === undefined) {
    return 'neither perl nor python3 is here to open the TUN interface with';
  }
  return undefined;
}

/** Makes namespaces with a TUN interface in them; both go when the probe ends. */
async function rootlessObstacle(): Promise<string | undefined> {
  if (findProgram('unshare') === undefined) return 'unshare is missing (Debian: apt install util-linux)';
  const [unshare, ...words] = namespaceCommand();
  const ip = findProgram('ip') ?? 'ip';
  try {
    await run(unshare, [...words, ip, 'tuntap', 'add', 'dev', PROBE_INTERFACE, 'mode', 'tun']);
    return undefined;
  } catch (error) {
    // The program's own words come after the command line.
    const words = messageOf(error).slice(messageOf(error).lastIndexOf(': ') + 2);
    return (
      namespacesForbidden() ?? `no user and network namespace with a TUN interface could be made (${words})`
    );
  }
}
