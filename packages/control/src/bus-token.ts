import { createHmac, timingSafeEqual } from 'node:crypto';
import { type BusIdentity, type BusToken, GraceError } from '@grace/contracts';

/** States who dials the bus, so that the broker need not ask anybody: `<base64url(JSON)>.<base64url(HMAC-SHA-256)>`. */
export function signBusToken(identity: BusIdentity, key: Uint8Array): BusToken {
  const body = Buffer.from(JSON.stringify(identity)).toString('base64url');
  return `${body}.${mac(body, key).toString('base64url')}`;
}

/**
 * The identity a token states.
 * @throws GraceError `BUS_UNAUTHENTICATED` when the token was not signed with this key or does not state an identity
 */
export function verifyBusToken(token: unknown, key: Uint8Array): BusIdentity {
  const [body, signature, ...rest] = typeof token === 'string' ? token.split('.') : [];
  if (!body || !signature || rest.length > 0) throw refusal('it is not of the form <identity>.<signature>');
  const given = Buffer.from(signature, 'base64url');
  const expected = mac(body, key);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    throw refusal('its signature does not match');
  let identity: Partial<BusIdentity> | null;
  try {
    identity = JSON.parse(Buffer.from(body, 'base64url').toString('utf8'));
  } catch {
    throw refusal('its identity is not JSON');
  }
  if (
    typeof identity?.principal !== 'string' ||
    typeof identity.incarnation !== 'number' ||
    typeof identity.messagesPerSecond !== 'number' ||
    typeof identity.kernel !== 'boolean'
  ) {
    throw refusal('its identity lacks a field');
  }
  const { principal, incarnation, messagesPerSecond, kernel } = identity;
  return { principal, incarnation, messagesPerSecond, kernel };
}

const mac = (body: string, key: Uint8Array): Buffer => createHmac('sha256', key).update(body).digest();

const refusal = (why: string): GraceError =>
  new GraceError('BUS_UNAUTHENTICATED', `the token presented on the bus socket is not valid: ${why}`);
