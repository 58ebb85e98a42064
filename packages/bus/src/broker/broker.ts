import type { MessagePort } from 'node:worker_threads';
import {
  type AclDocument,
  type BusIdentity,
  type BusStatistics,
  type BusTotals,
  type Clock,
  GraceError,
  systemClock,
  toWireError,
} from '@grace/contracts';
import { checkPattern } from '../subject/subject.ts';
import { type BrokerFrame, BUS_PROTOCOL, type ClientBatch, type ClientFrame, laneOf, MESSAGE_FIELDS } from '../wire/frames.ts';
import { PortWire } from '../wire/port-wire.ts';
import type { Wire } from '../wire/wire.ts';
import { AccessRules } from './access-rules.ts';
import { Accounts } from './accounts.ts';
import { settleAll } from './acknowledgements.ts';
import { Connection } from './connection.ts';
import { Door } from './door.ts';
import { Intake } from './intake.ts';
import { Listener } from './listener.ts';
import { Permits } from './permits.ts';
import { Router } from './router.ts';
import { Routes } from './routes.ts';
import { BrokerSubscription } from './subscription.ts';
import { Turns } from './turns.ts';
import type { Broker, BrokerEvent, BrokerOptions, BusPermit } from './types.ts';
