import { isIP } from 'node:net';
import { didYouMean, GraceError } from '@grace/contracts';

/** Hosts that may be asked beside this machine itself, by name as it stands in an address. */
export type Hosts = readonly string[];

/** Sites a probe is sent on to, at most. */
export const REDIRECTS_MAX = 5;

/**
 * Checks where an HTTP probe goes; also for each address it is sent on to. Names other than `localhost` are not resolved here, so only those of the
 * configuration are let through: whoever may define a probe could else look into every network this machine stands in.
 * @throws GraceError `BAD_INPUT` for what is no address of HTTP, `FORBIDDEN` for a host that is neither this machine nor named in the configuration
 */
export function readAddress(text: string, hosts: Hosts, place: string): URL {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) {
    const shown = JSON.stringify(text.slice(0, 100));
    throw new GraceError('BAD_INPUT', `${place}: expected an http or https address, got ${shown}`);
  }
  if (url.username !== '' || url.password !== '')
    throw new GraceError('BAD_INPUT', `${place}: an address may not hold a name and password; it is kept and shown`);
  const { hostname } = url;
  if (isLoopback(hostname) || hosts.includes(hostname)) return url;
  throw new GraceError(
    'FORBIDDEN',
    `${place}: ${hostname} is not this machine, and not among the hosts of the configuration (health_monitor: config.hosts)${didYouMean(hostname.slice(0, 60), hosts)}`,
    { host: hostname },
  );
}

/** By what the URL parser made of it: it writes every spelling of an IPv4 address (octal, hexadecimal, one number) in the usual form. */
function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}
