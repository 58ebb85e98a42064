import type { FastifySchema } from 'fastify';
import type { Route } from '../routes/route.ts';
import type { Settings } from '../settings.ts';
import { NO_COMPILERS } from './no-compilers.ts';
import type { Schema } from './schema.ts';

const ERROR: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message'],
      properties: {
        code: { type: 'string', description: 'One of docs/errors.md' },
        message: { type: 'string' },
        details: { type: 'object', additionalProperties: true },
      },
    },
  },
};

/**
 * The OpenAPI document of the routes. It is made from a second server that never listens, when somebody first asks: what makes it is loaded
 * then, and costs no start.
 */
export async function openapiOf(
  routes: readonly Route[],
  settings: Pick<Settings, 'open'>,
  url: string | null,
): Promise<object> {
  const [{ default: fastify }, { default: swagger }] = await Promise.all([
    import('fastify'),
    import('@fastify/swagger'),
  ]);
  const app = fastify({
    logger: false,
    exposeHeadRoutes: false,
    schemaController: NO_COMPILERS,
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Grace',
        version: '1',
        description:
          'A running Grace system over HTTP. Every error has one form: `{ error: { code, message, details? } }`.',
      },
      ...(url?.startsWith('http') ? { servers: [{ url }] } : {}),
      components: {
        securitySchemes: { token: { type: 'http', scheme: 'bearer', description: '`grace token add`' } },
      },
      security: [{ token: [] }],
      tags: [...new Set(routes.map(({ tag }) => tag))].map((name) => ({ name })),
    },
  });
  for (const route of routes)
    app.route({
      method: route.method,
      url: route.path,
      schema: described(route, settings.open.includes(route.path)),
      handler: () => undefined,
    });
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}

function described({ id, tag, summary, role, params, query, body, answers }: Route, isOpen: boolean): FastifySchema {
  const failures = { description: 'An error.', content: { 'application/json': { schema: ERROR } } };
  const responses = Object.entries(answers).map(([status, { description, type = 'application/json', schema = {} }]) => [
    status,
    { description, content: { [type]: { schema } } },
  ]);
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: isOpen ? 'Open to everybody.' : `Needs a token with the role ${role}.`,
    ...(isOpen ? { security: [] } : {}),
    ...(params ? { params } : {}),
    ...(query ? { querystring: query } : {}),
    ...(body ? { body } : {}),
    response: { ...Object.fromEntries(responses), '4xx': failures, '5xx': failures },
  } as FastifySchema;
}
