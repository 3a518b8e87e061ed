/** Why a datagram could not be sent, in the system's words. */
export interface SendFailure {
  /** `ENETUNREACH`, `EPERM` ... */
  readonly code: string;
  /** Address text, without port. */
  readonly address: string;
  readonly port: number;
  /** Monotonic milliseconds. */
  readonly at: number;
}

/** What the usual codes mean to whoever runs the gateway. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENETUNREACH: 'this host has no route there',
  EHOSTUNREACH: 'nothing answers for that address on its link',
  ENETDOWN: 'the network interface is down',
  EPERM: 'a firewall rule of this host forbids it',
  EACCES: 'it is a broadcast address, or a firewall rule of this host forbids it',
  EADDRNOTAVAIL: 'this host has no address to send from',
  EINVAL: 'no datagram can go to such an address',
};

/** `192.0.2.1:51820`, `[2001:db8::1]:51820`. */
export function failedEndpoint({ address, port }: SendFailure): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `this host has no route there (ENETUNREACH)`. */
export function failureText({ code }: SendFailure): string {
  const meaning = MEANINGS[code];
  return meaning === undefined ? code : `${meaning} (${code})`;
}
