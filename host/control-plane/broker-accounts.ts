import { randomBytes } from 'node:crypto';
import type { MqttClient } from 'mqtt';
import type { MqttTopics } from '../../src/control/mqtt-topics.js';

const COMMANDS = '$CONTROL/dynamic-security/v1';
const RESPONSES = `${COMMANDS}/response`;
/** ms */
const PATIENCE = 5_000;
/** The role of the control plane itself. */
const OWN_ROLE = 'cloudbridge-control';

type Command = Readonly<Record<string, unknown>> & { readonly command: string };

interface Response {
  readonly command: string;
  readonly correlationData?: string;
  readonly error?: string;
}

/** Accounts and roles in a broker, by the commands of Mosquitto's dynamic security plugin. */
export class DynamicSecurity {
  readonly #client: MqttClient;
  /** Calls that wait for the responses to their commands. */
  readonly #waiting = new Map<string, (responses: Response) => void>();

  constructor(client: MqttClient) {
    this.#client = client;
    client.on('message', (topic, payload) => {
      if (topic === RESPONSES) this.#answered(payload.toString());
    });
  }

  /** Looks whether the plugin is there, and gives the control plane's own account what it needs. */
  async open(user: string): Promise<void> {
    await this.#client.subscribeAsync(RESPONSES);
    const acls = [
      { acltype: 'publishClientSend', topic: 'cloudbridge/v1/+/+/down', allow: true },
      { acltype: 'subscribePattern', topic: 'cloudbridge/v1/#', allow: true },
    ];
    await this.#try({ command: 'createRole', rolename: OWN_ROLE, acls });
    await this.#try({ command: 'addClientRole', username: user, rolename: OWN_ROLE });
    // Nobody else hears or says anything that a role does not name.
    const acl = ['publishClientSend', 'subscribe'].map((acltype) => ({ acltype, allow: false }));
    await this.#must({ command: 'setDefaultACLAccess', acls: acl });
  }

  /** The account of a gateway, made anew; a connection under the old password ends. */
  async grant(gateway: string, password: string, topics: MqttTopics): Promise<void> {
    const acls = [
      { acltype: 'publishClientSend', topic: topics.up, allow: true },
      { acltype: 'publishClientSend', topic: topics.presence, allow: true },
      { acltype: 'subscribeLiteral', topic: topics.down, allow: true },
      { acltype: 'unsubscribeLiteral', topic: topics.down, allow: true },
    ];
    await this.#try({ command: 'createRole', rolename: gateway, acls });
    await this.#try({ command: 'deleteClient', username: gateway });
    const roles = [{ rolename: gateway }];
    await this.#must({ command: 'createClient', username: gateway, clientid: gateway, password, roles });
  }

  /** The account goes, and the connection with it. */
  async revoke(gateway: string): Promise<void> {
    await this.#try({ command: 'deleteClient', username: gateway });
  }

  /** The broker's error, if it has one: that something is there already, or gone already. */
  async #try(command: Command): Promise<string | undefined> {
    const correlationData = randomBytes(8).toString('hex');
    const answer = new Promise<Response>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(correlationData);
        const remedy = 'load mosquitto_dynamic_security.so in it, and name its administrator in MQTT_URL';
        reject(new Error(`the broker does not let us manage its accounts; ${remedy}`));
      }, PATIENCE);
      this.#waiting.set(correlationData, (response) => {
        clearTimeout(timer);
        resolve(response);
      });
    });
    const commands = [{ ...command, correlationData }];
    const [{ error }] = await Promise.all([
      answer,
      this.#client.publishAsync(COMMANDS, JSON.stringify({ commands }), { qos: 1 }),
    ]);
    return error;
  }

  async #must(command: Command): Promise<void> {
    const error = await this.#try(command);
    if (error !== undefined) throw new Error(`the broker refuses ${command.command}: ${error}`);
  }

  #answered(text: string): void {
    try {
      for (const response of (JSON.parse(text) as { responses: Response[] }).responses) {
        const waiting = this.#waiting.get(response.correlationData ?? '');
        this.#waiting.delete(response.correlationData ?? '');
        waiting?.(response);
      }
    } catch {
      // No answer of ours.
    }
  }
}
