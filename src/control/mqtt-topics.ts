/** Where a gateway and its control plane meet on a broker: three topics for each gateway, and nothing else. */

const ROOT = 'cloudbridge/v1';

export interface MqttTopics {
  /** Messages of the gateway. */
  readonly up: string;
  /** Messages to the gateway. */
  readonly down: string;
  /** Retained: `online`, or `offline` as the gateway's will. */
  readonly presence: string;
}

/** What is published at `presence`. */
export const PRESENCE = Object.freeze({ online: 'online', offline: 'offline' } as const);

export function mqttTopics(tenant: string, gateway: string): MqttTopics {
  const base = `${ROOT}/${tenant}/${gateway}`;
  return { up: `${base}/up`, down: `${base}/down`, presence: `${base}/presence` };
}

/** What the server subscribes to on a broker that is not its own. */
export const EVERY_GATEWAY: readonly string[] = Object.freeze([`${ROOT}/+/+/up`, `${ROOT}/+/+/presence`]);

export interface TopicOwner {
  readonly tenant: string;
  readonly gateway: string;
  readonly channel: 'up' | 'down' | 'presence';
}

/** Undefined when the topic is none of ours, or has wildcards in it. */
export function topicOwner(topic: string): TopicOwner | undefined {
  const match = /^cloudbridge\/v1\/([\w-]{1,64})\/([\w-]{1,64})\/(up|down|presence)$/.exec(topic);
  if (!match) return undefined;
  return { tenant: match[1], gateway: match[2], channel: match[3] as TopicOwner['channel'] };
}
