/** Two hosts behind NATs, and coturn in the open, in namespaces: NATs by nftables, of each kind of RFC 4787. */

import { Lab } from '../../lab/lab.js';
import type { Namespace } from '../../lab/namespace.js';
import { Coturn } from './coturn.js';

export type RealNat = 'full' | 'address' | 'port' | 'symmetric';

export const RELAY_ADDRESS = '203.0.113.100';
export const INNER = ['10.1.0.2', '10.2.0.2'] as const;
const OUTER = ['203.0.113.11', '203.0.113.12'] as const;

export class NatLab {
  readonly lab = new Lab();
  readonly hosts: readonly [Namespace, Namespace];
  readonly coturn: Coturn;
  readonly #nats: readonly [Namespace, Namespace];
  readonly #outside: [string, string] = ['', ''];

  private constructor() {
    const { lab } = this;
    // All public machines hang on one bridge; a second bridge port each is their link.
    const open = lab.namespace('open');
    // Bridged frames do not pass the packet filter of their namespace.
    open.sysctl({ 'net.bridge.bridge-nf-call-iptables': '0' });
    open.ip('link add br0 type bridge');
    open.ip('address add 203.0.113.1/24 dev br0');
    open.ip('link set br0 up');
    const attach = (label: string, address: string): [Namespace, string] => {
      const space = lab.namespace(label);
      const [port, wan] = lab.link({ space: open, addresses: [] }, { space, addresses: [`${address}/24`] });
      open.ip(`link set ${port} master br0`);
      // Without it an unreachable candidate is an error of the system instead of silence.
      space.ip('route add default via 203.0.113.1');
      return [space, wan];
    };
    const [relay] = attach('relay', RELAY_ADDRESS);
    const sides = OUTER.map((outer, i) => {
      const [nat, wan] = attach(`nat${i}`, outer);
      const host = lab.namespace(`host${i}`);
      const inner = INNER[i];
      const gate = inner.replace(/2$/, '1');
      lab.link({ space: nat, addresses: [`${gate}/24`] }, { space: host, addresses: [`${inner}/24`] });
      host.ip(`route add default via ${gate}`);
      nat.sysctl({ 'net.ipv4.ip_forward': '1' });
      this.#outside[i] = wan;
      return { nat, host };
    });
    this.hosts = [sides[0].host, sides[1].host];
    this.#nats = [sides[0].nat, sides[1].nat];
    this.coturn = new Coturn({ port: 3478, addresses: [RELAY_ADDRESS], space: relay });
  }

  static async open(): Promise<NatLab> {
    const lab = new NatLab();
    await lab.coturn.start();
    return lab;
  }

  /** Gives side 0 or 1 a NAT of this kind. What it remembers of ports used before does not concern new ones. */
  setNat(side: 0 | 1, kind: RealNat): void {
    const wan = this.#outside[side];
    const inner = INNER[side];
    const full =
      kind === 'full' ? `iifname ${wan} meta l4proto udp udp dport 1024-65535 dnat to ${inner}` : '';
    const address =
      kind === 'address'
        ? `iifname ${wan} udp dport 1024-65535 ip saddr . udp dport @peers dnat to ${inner}`
        : '';
    const remember =
      kind === 'address'
        ? `oifname ${wan} meta l4proto udp update @peers { ip daddr . udp sport timeout 60s }`
        : '';
    this.#nats[side].nft(`
      table ip nat {
        set peers { type ipv4_addr . inet_service; flags timeout,dynamic; }
        chain pre { type nat hook prerouting priority -100;
          ${full}
          ${address}
        }
        chain post { type nat hook postrouting priority 100;
          oifname ${wan} masquerade ${kind === 'symmetric' ? 'fully-random' : 'persistent'}
        }
        chain in { type filter hook input priority 0; policy accept;
          iifname ${wan} ct state new drop
        }
        chain pass { type filter hook forward priority 0; policy accept;
          ${remember}
        }
      }`);
  }

  async close(): Promise<void> {
    await this.coturn.close();
    this.lab.close();
  }
}
