/** What this process may do, as the kernel tells it. */

import { accessSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { systemCode } from '../errors.js';

export const TUN_DEVICE = '/dev/net/tun';
/** capabilities(7): bit of CAP_NET_ADMIN. */
const CAP_NET_ADMIN = 12n;

/** Whether a set of /proc/self/status (`CapEff`, `CapAmb`) has CAP_NET_ADMIN. */
function hasNetAdmin(set: 'CapEff' | 'CapAmb'): boolean {
  const line = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(readFileSync('/proc/self/status', 'latin1'));
  return line !== null && ((BigInt(`0x${line[1]}`) >> CAP_NET_ADMIN) & 1n) === 1n;
}

/** Why this process cannot configure interfaces where it is; `undefined` when it can. */
export function lacksNetAdmin(): string | undefined {
  if (!hasNetAdmin('CapEff')) return 'this process has no CAP_NET_ADMIN (it is not root)';
  // The `ip` command is a process of its own and keeps the right only as root or by an ambient capability.
  if (process.getuid?.() !== 0 && !hasNetAdmin('CapAmb')) {
    return 'CAP_NET_ADMIN is not ambient, so the ip command would not have it (systemd: AmbientCapabilities=CAP_NET_ADMIN)';
  }
  return undefined;
}

/** Why /dev/net/tun cannot be used; `undefined` when it can. */
export function lacksTunDevice(): string | undefined {
  try {
    closeSync(openSync(TUN_DEVICE, 'r+'));
    return undefined;
  } catch (error) {
    switch (systemCode(error)) {
      case 'ENOENT':
        return inContainer()
          ? `${TUN_DEVICE} is missing in this container (docker: --device ${TUN_DEVICE})`
          : `${TUN_DEVICE} is missing (modprobe tun)`;
      case 'ENODEV':
        return 'the kernel has no TUN driver (modprobe tun)';
      default:
        return `${TUN_DEVICE} cannot be opened (${systemCode(error)})`;
    }
  }
}

/** Why an ordinary user gets no namespaces here, as far as the system says it; `undefined` when it does not. */
export function namespacesForbidden(): string | undefined {
  if (setting('/proc/sys/user/max_user_namespaces') === '0') {
    return 'user namespaces are switched off (sysctl user.max_user_namespaces is 0)';
  }
  if (setting('/proc/sys/user/max_net_namespaces') === '0') {
    return 'network namespaces are switched off (sysctl user.max_net_namespaces is 0)';
  }
  if (process.getuid?.() !== 0) {
    if (setting('/proc/sys/kernel/unprivileged_userns_clone') === '0') {
      return 'user namespaces are for root only here (sysctl kernel.unprivileged_userns_clone is 0)';
    }
    if (setting('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1') {
      return 'AppArmor keeps user namespaces from programs without a profile (Ubuntu; sysctl kernel.apparmor_restrict_unprivileged_userns is 1)';
    }
  }
  if (inContainer()) return "this container's seccomp or AppArmor profile forbids namespaces";
  return undefined;
}

function inContainer(): boolean {
  return existsSync('/.dockerenv') || existsSync('/run/.containerenv') || process.env.container !== undefined;
}

function setting(path: string): string | undefined {
  try {
    accessSync(path);
    return readFileSync(path, 'latin1').trim();
  } catch {
    return undefined;
  }
}
