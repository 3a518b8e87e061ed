/**
 * An MQTT 3.1.1 client as ECMA-419 has it ("MQTT client" of its network classes): XS brings one, Node gets one through
 * an adapter. Only what the control link uses.
 */

/** MQTT control packet types (MQTT 3.1.1, section 2.2.1) that are written or told of. */
export const MQTT_OPERATION = Object.freeze({
  CONNACK: 2,
  PUBLISH: 3,
  SUBSCRIBE: 8,
  SUBACK: 9,
  DISCONNECT: 14,
} as const);

export interface MqttWill {
  readonly topic: string;
  readonly message: ArrayBuffer;
  readonly QoS: number;
  readonly retain: boolean;
}

export interface MqttMessage {
  /** Only with the first fragment of a message. */
  readonly topic?: string;
  /** Of the whole message, with the first fragment. */
  readonly byteLength?: number;
  /** More fragments of this message follow. */
  readonly more?: boolean;
}

/** What a client is made with. Where and how to connect is known to whoever makes it. */
export interface MqttClientOptions {
  readonly id: string;
  readonly user: string;
  readonly password: ArrayBuffer;
  /** ms */
  readonly keepAlive: number;
  readonly clean: boolean;
  readonly will: MqttWill;
  /** `count` bytes of a message can be read. */
  onReadable(count: number, message: MqttMessage): void;
  /** `count` bytes of a message can be written. The first call means that the broker has accepted us. */
  onWritable(count: number): void;
  /** A packet other than PUBLISH came. `payload`: of a SUBACK, its return codes where the client tells them. */
  onControl(packet: { readonly operation: number; readonly id?: number; readonly payload?: unknown }): void;
  /** The end; nothing follows. `refused`: the broker's CONNACK said that it does not know this user. */
  onError(reason?: unknown, refused?: boolean): void;
}

export interface MqttWriteOptions {
  /** PUBLISH when left out. */
  readonly operation?: number;
  readonly topic?: string;
  /** Of the whole message, when `data` is only its beginning. */
  readonly byteLength?: number;
  readonly QoS?: number;
  readonly retain?: boolean;
  readonly id?: number;
  readonly items?: readonly { readonly topic: string; readonly QoS: number }[];
}

export interface MqttClient {
  /** Bytes that can still be written. Throws when the data does not fit. Without options: the next fragment. */
  write(data: Uint8Array | null, options?: MqttWriteOptions): number;
  /** The next `count` bytes of the present message. */
  read(count: number): ArrayBuffer | undefined;
  close(): void;
}

/** Makes a client that connects to `url` (`mqtts://host[:port]`); its callbacks come later. */
export type MqttClientFactory = (url: string, options: MqttClientOptions) => MqttClient;
