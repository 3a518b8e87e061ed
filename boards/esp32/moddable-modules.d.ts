/**
 * What the firmware uses of the SDK's modules, for the checkers that run without it. mcconfig brings the SDK's own
 * declarations instead and does not see this file.
 */

declare module 'timer' {
  const Timer: {
    set(callback: () => void, delay: number): object;
    repeat(callback: () => void, interval: number): object;
    clear(timer: object): void;
  };
  export default Timer;
}

declare module 'net' {
  const Net: {
    /** `address` is missing when there is none. */
    resolve(name: string, callback: (name: string, address?: string) => void): void;
  };
  export default Net;
}

declare module 'wifi' {
  export default class WiFi {
    constructor(options: { ssid: string; password?: string }, callback: (message: string) => void);
    static connect(options: { ssid: string; password?: string }): void;
    static accessPoint(options: { ssid: string; password?: string }): void;
  }
}

declare module 'embedded:network/interface/ethernet' {
  export default class Ethernet {
    constructor(options: { onChanged?: (property: string) => void });
    connect(): void;
    readonly address: string | undefined;
  }
}

declare module 'mc/config' {
  const config: Readonly<Record<string, unknown>>;
  export default config;
}

declare module 'embedded:io/socket/tcp' {
  export default class TCP {
    constructor(options: {
      address: string;
      port: number;
      nodelay?: boolean;
      onReadable?: (count: number) => void;
      onWritable?: (count: number) => void;
      onError?: () => void;
    });
    read(into: Uint8Array): number;
    /** Bytes that can be written now. */
    write(bytes: Uint8Array): number;
    close(): void;
  }
}
