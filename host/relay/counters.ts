/** What a relay counts since its start; `/metrics` shows it. */
export class RelayCounters {
  datagrams = 0;
  bytes = 0;
  droppedBandwidth = 0;
  droppedQuota = 0;
  droppedSize = 0;
  /** The gateway did not read fast enough. */
  droppedBacklog = 0;
  /** The other gateway is not there. */
  droppedAbsent = 0;
  tunnelsOpened = 0;
  tunnelsEnded = 0;
  refusedToken = 0;
  refusedTarget = 0;
  refusedRate = 0;
  refusedCapacity = 0;
  refusedRequest = 0;
  protocolErrors = 0;
}

const HELP: Readonly<Record<keyof RelayCounters, string>> = Object.freeze({
  datagrams: 'Datagrams forwarded',
  bytes: 'Bytes of datagrams forwarded',
  droppedBandwidth: 'Datagrams over the bandwidth of their tunnel',
  droppedQuota: 'Datagrams over the daily bytes of their gateway',
  droppedSize: 'Datagrams longer than the limit',
  droppedBacklog: 'Datagrams for gateways that do not read fast enough',
  droppedAbsent: 'Datagrams for gateways that are not there',
  tunnelsOpened: 'Tunnels opened',
  tunnelsEnded: 'Tunnels ended',
  refusedToken: 'Requests without a valid token',
  refusedTarget: 'Requests for a target that is not allowed',
  refusedRate: 'Requests over the rate of their source',
  refusedCapacity: 'Requests over a number of tunnels',
  refusedRequest: 'Requests for anything else',
  protocolErrors: 'Tunnels ended because their protocol was broken',
});

/** The Prometheus text format. `open`: tunnels by protocol. */
export function metricsText(counters: RelayCounters, open: ReadonlyMap<string, number>): string {
  const lines: string[] = [];
  for (const [name, help] of Object.entries(HELP) as [keyof RelayCounters, string][]) {
    const metric = `cloudbridge_relay_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`;
    lines.push(`# HELP ${metric} ${help}`, `# TYPE ${metric} counter`, `${metric} ${counters[name]}`);
  }
  lines.push('# HELP cloudbridge_relay_tunnels Tunnels open now', '# TYPE cloudbridge_relay_tunnels gauge');
  for (const [protocol, count] of open)
    lines.push(`cloudbridge_relay_tunnels{protocol="${protocol}"} ${count}`);
  return `${lines.join('\n')}\n`;
}
