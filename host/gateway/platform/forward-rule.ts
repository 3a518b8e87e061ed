/** One forward: datagrams or connections that arrive at `listen` are carried to `target`. */
export interface ForwardRule {
  readonly protocol: 'tcp' | 'udp';
  readonly listen: {
    /** Literal address; `undefined`: loopback for a forward, every address of the tunnel for an expose. */
    readonly host: string | undefined;
    readonly port: number;
  };
  readonly target: {
    /** Name or literal address. */
    readonly host: string;
    readonly port: number;
  };
}

/** `[::1]:80`, `10.0.0.1:80`, `*:80`. */
export function hostPort(host: string | undefined, port: number): string {
  if (host === undefined) return `*:${port}`;
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** As logs and errors name a rule: `tcp:127.0.0.1:8080=10.0.0.2:80`. */
export function describeRule(rule: ForwardRule): string {
  const listen = hostPort(rule.listen.host, rule.listen.port);
  return `${rule.protocol}:${listen}=${hostPort(rule.target.host, rule.target.port)}`;
}
