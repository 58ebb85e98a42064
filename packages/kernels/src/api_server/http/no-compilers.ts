import type { FastifyServerOptions } from 'fastify';

type Controller = NonNullable<FastifyServerOptions['schemaController']>;

/**
 * Inputs are checked against the schemas of our routes by `checked`. Without this, fastify would load a validator and a serializer compiler
 * at its start, which take longer than all the rest of it.
 */
export const NO_COMPILERS = {
  compilersFactory: {
    buildValidator: () => () => () => true,
    buildSerializer: () => () => JSON.stringify,
  },
} as unknown as Controller;
