import type { Target } from './target.js';
import { ControlMessages } from './targets/control-messages.js';
import { EndpointText } from './targets/endpoint-text.js';
import { Ice } from './targets/ice.js';
import { InnerPackets } from './targets/inner-packets.js';
import { MinimalMode } from './targets/minimal-mode.js';
import { Packets } from './targets/packets.js';
import { Capsules, DatagramFrames, RelayAnswers, RelayTargets } from './targets/relay-streams.js';
import { Settings } from './targets/settings.js';
import { UapiText } from './targets/uapi-text.js';
import { WgQuickText } from './targets/wg-quick-text.js';
import { WireGuard } from './targets/wireguard.js';

/** Every parser that reads what others wrote. A new one adds its target here. */
export function targets(): Target[] {
  return [
    new Packets(),
    new EndpointText(),
    new WgQuickText(),
    new Settings(),
    new WireGuard(),
    new InnerPackets(),
    new UapiText(),
    new MinimalMode(),
    new ControlMessages(),
    new Ice(),
    new Capsules(),
    new DatagramFrames(),
    new RelayAnswers(),
    new RelayTargets(),
  ];
}
