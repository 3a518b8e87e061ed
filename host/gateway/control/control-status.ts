export * from '../../../src/gateway/control-status.js';
