import kernel from './bench-kernel.mjs';

export default kernel('bench_victim');
