/** A runner in small: starts an actor, says its pid, renews for ever. A test kills it and looks whether the actor is left. */
import { startActor } from '../src/fault/actor-process.ts';

const [entry, order] = process.argv.slice(2) as [string, string];
const actor = await startActor(entry, 10_000);
actor.begin(JSON.parse(order));
setInterval(() => actor.renew(), 100);
process.stdout.write(`${actor.pid}\n`);
