/**
 * @module
 * The control socket: newline-delimited JSON over a Unix socket, requests with deadlines and notices in both directions.
 * Supervisor and cells speak it with each other, clients with the supervisor.
 */
export { signBusToken, verifyBusToken } from './bus-token.ts';
export { Channel, type ChannelOptions } from './channel.ts';
export { type ControlClient, connectControl, DEFAULT_DEADLINE_MS } from './client.ts';
export { connectSocket } from './connect.ts';
export { LineReader } from './lines.ts';
export { MAX_SOCKET_PATH, shortSocketPath } from './socket-path.ts';
