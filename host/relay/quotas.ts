/** How many tunnels and how many bytes a day each gateway and tenant has. */

import type { RelayOptions } from './options.js';
import type { Identity } from './token-gate.js';

const DAY = 86_400_000;

interface Account {
  tunnels: number;
  bytes: number;
  /** Of the day that `bytes` is about. */
  day: number;
}

export class Quotas {
  readonly #options: RelayOptions;
  readonly #gateways = new Map<string, Account>();
  readonly #tenants = new Map<string, number>();
  #tunnels = 0;

  constructor(options: RelayOptions) {
    this.#options = options;
  }

  /** True when one more tunnel may be opened; it is counted then. */
  open(identity: Identity): boolean {
    const { tunnels, tunnelsPerGateway, tunnelsPerTenant } = this.#options;
    const account = this.#account(identity);
    const ofTenant = this.#tenants.get(identity.tenant) ?? 0;
    if (this.#tunnels >= tunnels || account.tunnels >= tunnelsPerGateway || ofTenant >= tunnelsPerTenant)
      return false;
    this.#tunnels++;
    account.tunnels++;
    this.#tenants.set(identity.tenant, ofTenant + 1);
    return true;
  }

  close(identity: Identity): void {
    this.#tunnels--;
    this.#account(identity).tunnels--;
    const ofTenant = (this.#tenants.get(identity.tenant) ?? 1) - 1;
    if (ofTenant > 0) this.#tenants.set(identity.tenant, ofTenant);
    else this.#tenants.delete(identity.tenant);
    this.#forget();
  }

  /** True when the gateway has so many bytes left today; they are spent then. */
  spend(identity: Identity, bytes: number): boolean {
    const { dailyBytes } = this.#options;
    if (dailyBytes === 0) return true;
    const account = this.#account(identity);
    const day = today();
    if (account.day !== day) {
      account.day = day;
      account.bytes = 0;
    }
    if (account.bytes + bytes > dailyBytes) return false;
    account.bytes += bytes;
    return true;
  }

  #account({ tenant, gateway }: Identity): Account {
    const name = `${tenant}\n${gateway}`;
    let account = this.#gateways.get(name);
    if (!account) {
      account = { tunnels: 0, bytes: 0, day: today() };
      this.#gateways.set(name, account);
    }
    return account;
  }

  /** Accounts of yesterday without tunnels say nothing any more. */
  #forget(): void {
    const day = today();
    for (const [name, account] of this.#gateways) {
      if (account.tunnels === 0 && (account.day !== day || account.bytes === 0)) this.#gateways.delete(name);
    }
  }
}

function today(): number {
  return Math.floor(Date.now() / DAY);
}
