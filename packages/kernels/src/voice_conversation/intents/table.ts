import { describeFailure, kernelStatus } from './about-kernel.ts';
import type { Intent, Live, Said } from './live.ts';
import { counted, shortened, tellWork } from './tell.ts';

const NOW = '[now|today|right now|at the moment|doing|please]';
/** Who works on what: their `status` says how much. */
const WORKERS = ['agentic_spine', 'coding_agent', 'self_healing', 'sandbox', 'librarian', 'scheduler'];
const MOMENTS = 300;
const DAY_MS = 86_400_000;

interface Moment {
  atMs: number;
  name: string;
  text: string;
}

/** What is understood without any settings. All of it reads; nothing is changed by what somebody says. */
export const INTENTS: readonly Intent[] = [
  {
    id: 'system_health',
    title: 'whether the system is well',
    phrases: [
      `how (are you|are things|is it going|is everything|is everybody|is the system|is grace) ${NOW} ${NOW}`,
      `is (everything|the system|everybody|it all|all) (ok|okay|well|fine|healthy|alright|in order) ${NOW}`,
      '[what is] the (health|state) of the system',
      'system (health|status)',
      'are you (ok|okay|well|fine|healthy)',
    ],
    reads: ['health_monitor.health'],
    example: 'how is the system?',
    async answer(live) {
      const asked = await live.ask('health_monitor', 'health');
      if (!asked.ok) return { text: describeFailure('health_monitor', asked) };
      const { state, subjects } = asked.value as { state: string; subjects: { subject: string; state: string }[] };
      const off = subjects.filter((one) => one.state !== 'passing');
      const words = off.slice(0, 8).map((one) => `${one.subject} is ${one.state}`);
      return {
        text: `The system is ${state}: ${subjects.length - off.length} of ${subjects.length} pass${off.length > 0 ? `; ${words.join(', ')}` : ''}.`,
      };
    },
  },
  {
    id: 'work',
    title: 'what is being worked on',
    phrases: [
      `what (are you|is everybody|is the system) (working on|doing|busy with) ${NOW}`,
      `what is (going on|being done|under way) ${NOW}`,
      'are you busy',
    ],
    reads: WORKERS.map((kernel) => `${kernel}.status`),
    example: 'what are you working on?',
    async answer(live) {
      const there = WORKERS.filter((kernel) => live.kernels.includes(kernel));
      const asked = await Promise.all(there.map(async (kernel) => ({ kernel, ...(await live.ask(kernel, 'status')) })));
      const told = asked.flatMap((one) => {
        if (!one.ok) return [describeFailure(one.kernel, one)];
        const work = tellWork(one.value);
        return work === '' ? [] : [`${one.kernel}: ${work}`];
      });
      const idle = asked.flatMap((one) => (one.ok && tellWork(one.value) === '' ? [one.kernel] : []));
      if (idle.length > 0) told.push(`nothing under way: ${idle.join(', ')}`);
      return { text: told.length === 0 ? 'Nobody who works is part of this system.' : `${told.join('. ')}.` };
    },
  },
  {
    id: 'today',
    title: 'what happened since midnight',
    phrases: [
      '[tell me] what (happened|has happened|was going on|is new) [so far] (today|since midnight)',
      '[tell me] what [has] happened',
      "what is today's news",
      'what is new [today]',
    ],
    reads: ['clarity_framework.timeline'],
    example: 'what happened today?',
    answer: (live) =>
      happened(
        live,
        () => true,
        (n, more) => `Since midnight ${more ? 'more than ' : ''}${counted(n, 'event')}`,
      ),
  },
  {
    id: 'incidents',
    title: 'incidents since midnight',
    phrases: [
      '[are there|were there|do we have] [any] (incidents|problems|alarms) [now|today|since midnight|open]',
      'what (went|is going) wrong [today]',
      'is (anything|something) (wrong|broken) [now]',
    ],
    reads: ['clarity_framework.timeline'],
    example: 'are there any incidents?',
    answer: (live) =>
      happened(
        live,
        ({ name }) => name.startsWith('incident:'),
        (n) => `Since midnight ${counted(n, 'event')} of incidents`,
      ),
  },
  {
    id: 'decisions',
    title: 'what was decided last',
    phrases: [
      'what (did you decide|did we decide|was decided|have you decided) [last|today]',
      '[show me|tell me] [the] [last|latest] decisions',
    ],
    reads: ['clarity_framework.decisions'],
    example: 'what did you decide?',
    async answer(live) {
      const asked = await live.ask('clarity_framework', 'decisions', { limit: 3 });
      if (!asked.ok) return { text: describeFailure('clarity_framework', asked) };
      const { decisions } = asked.value as { decisions: { by: string; what: string }[] };
      const told = decisions.map(({ by, what }) => `${by}: ${shortened(what, 120)}`);
      return { text: told.length === 0 ? 'No decision is on record.' : `Decided last: ${told.join('; ')}.` };
    },
  },
  {
    id: 'due',
    title: 'which jobs are due within a day',
    phrases: [
      'what is (due|next|planned|scheduled) [today|now]',
      'what (comes|happens) next',
      '[what are|which are] [the] next jobs',
    ],
    reads: ['scheduler.due'],
    example: 'what is due?',
    async answer(live) {
      const asked = await live.ask('scheduler', 'due', { withinMs: DAY_MS, limit: 5 });
      if (!asked.ok) return { text: describeFailure('scheduler', asked) };
      const due = asked.value as { job: string; starts: string }[];
      const told = due.map(({ job, starts }) => `${job} at ${starts}`);
      return { text: told.length === 0 ? 'No job is due within a day.' : `Due: ${told.join(', ')}.` };
    },
  },
  {
    id: 'find',
    title: 'sections of documents about something',
    phrases: [
      '(find|search|look up|look for|search for) {rest}',
      'what do the documents say about {rest}',
      'where is it written [about|that] {rest}',
    ],
    reads: ['librarian.search'],
    example: 'what do the documents say about restarts?',
    async answer(live, { rest = [] }) {
      const asked = await live.ask('librarian', 'search', { query: rest.join(' '), limit: 3 });
      if (!asked.ok) return { text: describeFailure('librarian', asked) };
      const found = asked.value as { title: string; section: string; text: string }[];
      const told = found.map(({ title, section, text }) => `${shortened(section || title)}: ${shortened(text, 160)}`);
      return { text: told.length === 0 ? 'No document says anything about that.' : told.join(' / ') };
    },
  },
  {
    id: 'recall',
    title: 'what is remembered about something',
    phrases: [
      'what do you (know|remember) about {rest}',
      'do you (know|remember) [anything|something] [about] {rest}',
      'recall {rest}',
    ],
    reads: ['memory_fusion.recall'],
    example: 'what do you remember about the printer?',
    async answer(live, { rest = [] }) {
      const asked = await live.ask('memory_fusion', 'recall', { query: rest.join(' '), limit: 3 });
      if (!asked.ok) return { text: describeFailure('memory_fusion', asked) };
      const told = (asked.value as { text: string }[]).map(({ text }) => shortened(text, 160));
      return { text: told.length === 0 ? 'Nothing is remembered about that.' : told.join(' / ') };
    },
  },
  {
    id: 'kernels',
    title: 'which kernels there are',
    phrases: ['(which|what|how many) kernels [are there|do you have|are running]', 'who is there'],
    reads: [],
    example: 'which kernels are there?',
    answer: ({ kernels }) => ({ text: `${counted(kernels.length, 'kernel')}: ${kernels.join(', ')}.` }),
  },
  {
    id: 'clock',
    title: 'the time',
    phrases: ['what time is it [now]', 'what is the (time|date)', 'what day is it [today]'],
    reads: [],
    example: 'what time is it?',
    answer: (live) => ({ text: `It is ${new Date(live.nowMs()).toString()}.` }),
  },
  {
    id: 'again',
    title: 'the last answer once more',
    phrases: ['[please] (say|repeat) that [again]', 'again', 'pardon', 'what did you say'],
    reads: [],
    example: 'say that again',
    answer: ({ before }) => ({ text: before?.answer ?? 'Nothing was said in this session yet.' }),
  },
  {
    id: 'help',
    title: 'what can be asked',
    phrases: ['help [me]', 'what can (you do|i say|i ask|you tell me)', '[please] help'],
    reads: [],
    example: 'help',
    answer: ({ examples }) => ({ text: `You can say: ${examples.join(' ')}` }),
  },
  {
    id: 'yes',
    title: 'the kernel that was proposed',
    phrases: ['yes [please]', 'yes [that one|exactly|right|i did|i mean that]', '(right|exactly|correct)'],
    reads: ['*.status'],
    example: 'yes',
    answer: (live) =>
      live.before?.suggestion
        ? kernelStatus(live, live.before.suggestion.split('_'))
        : { text: 'Nothing was proposed. Say "help" for what can be asked.' },
  },
  // After the others, since anything may stand where the kernel is named.
  {
    id: 'kernel_status',
    title: 'how one kernel is, from its own status',
    phrases: [
      `[tell me] how (is|are|about) {kernel} ${NOW} ${NOW}`,
      '[and] what about {kernel}',
      '[is|are] {kernel} (ok|okay|well|fine|healthy|alive|running|up|ready|there|working)',
      `what (is|are) {kernel} (doing|working on|busy with) ${NOW}`,
      '[tell me|show me|give me] [the] (status|state|health) (of|for) {kernel}',
      '{kernel} status',
      'how does {kernel} (do|feel)',
      'ask {kernel}',
    ],
    reads: ['*.status'],
    example: 'how is the librarian?',
    answer: (live, { kernel = [] }) => kernelStatus(live, kernel),
  },
];

/** Moments since midnight, local time, by kind, and the latest in words. */
async function happened(
  live: Live,
  wanted: (moment: Moment) => boolean,
  opening: (n: number, more: boolean) => string,
): Promise<Said> {
  const midnight = new Date(live.nowMs()).setHours(0, 0, 0, 0);
  const asked = await live.ask('clarity_framework', 'timeline', { from: midnight, limit: MOMENTS });
  if (!asked.ok) return { text: describeFailure('clarity_framework', asked) };
  const { moments, more } = asked.value as { moments: Moment[]; more: boolean };
  const kept = moments.filter(wanted);
  if (kept.length === 0) return { text: `${opening(0, false)}.` };
  const kinds = new Map<string, number>();
  for (const { name } of kept) kinds.set(name, (kinds.get(name) ?? 0) + 1);
  const most = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 5);
  const latest = kept.slice(-2).map(({ text }) => shortened(text, 140));
  return {
    text: `${opening(kept.length, more)}: ${most.map(([name, n]) => `${n} ${name}`).join(', ')}. Latest: ${latest.join('; ')}.`,
  };
}
