import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'vitest';

/** What a test file cannot do without: the right to make namespaces, a program, a file that the build makes. */
export type Requirement =
  | 'root'
  | { readonly program: string; readonly package: string }
  | { readonly file: string };

export const WIREGUARD_GO = { program: 'wireguard-go', package: 'wireguard-go' } as const;
export const WG = { program: 'wg', package: 'wireguard-tools' } as const;
export const WG_QUICK = { program: 'wg-quick', package: 'wireguard-tools' } as const;
export const NFT = { program: 'nft', package: 'nftables' } as const;
export const IPERF3 = { program: 'iperf3', package: 'iperf3' } as const;
export const ETHTOOL = { program: 'ethtool', package: 'ethtool' } as const;
export const PING = { program: 'ping', package: 'iputils-ping' } as const;
export const IP = { program: 'ip', package: 'iproute2' } as const;

/** Why a requirement is not met here, or `undefined`. */
function shortcoming(need: Requirement): string | undefined {
  if (need === 'root') return process.getuid?.() === 0 ? undefined : 'needs root for network namespaces';
  if ('file' in need) return existsSync(need.file) ? undefined : `needs ${need.file}: run npm run build`;
  const found = spawnSync('sh', ['-c', `command -v ${need.program}`]).status === 0;
  return found ? undefined : `needs ${need.program} (Debian package ${need.package})`;
}

/** A `describe` that becomes one test, skipped with the reason, where something is missing. */
export function labSuite(title: string, needs: readonly Requirement[], body: () => void): void {
  const reasons = needs.map(shortcoming).filter((reason) => reason !== undefined);
  if (process.platform !== 'linux') reasons.unshift('needs Linux');
  describe(title, () => {
    if (reasons.length === 0) body();
    else it('has what it needs', (context) => context.skip(reasons.join('; ')));
  });
}
