/**
 * The instruction table: the one place that says which commands exist and what their fields are. Encoder, decoder,
 * printer, assembler and docs/isa.md are made from it; the emitter and the simulator are written against it.
 *
 * The machine: a command processor reads the stream in order and hands each command to one of three queues, `load`
 * (DRAM to SRAM), `compute` (MAC array and vector unit) and `store` (SRAM to DRAM). Each queue executes its commands in
 * order, one at a time; the queues run independently of each other. Order between queues exists only where commands say so:
 *
 * - `wait`: a bit mask of semaphores. Before the command starts, each named semaphore must be above zero, and is
 *   decremented. `signal`: after the command has completed, each named semaphore is incremented.
 * - `barrier`: the processor waits until all queues are empty, then sets all semaphores to zero.
 * - `semaphore`: the processor sets a semaphore to a value, when it comes to the command and not in any queue: only sensible where
 *   no command that is still in a queue names the semaphore.
 *
 * `loop count=n` ... `endLoop` repeats what is between, up to MAX_LOOP_DEPTH deep. Any field of a command inside may carry
 * steps {level, delta, modulus}: its value in an iteration is
 *     base + sum over steps of (iteration[level] * delta, taken modulo `modulus` when that is not 0)
 * where level 0 is the outermost loop. Stepped fields are signed while they are computed.
 *
 * SRAM images are addressed by a view (base, rowPitch, pixelPitch, ring): channel c of the pixel in row r and column x is
 * at base + (ring = 0 ? r : r mod ring) * rowPitch + x * pixelPitch + c * elementBytes. A ring is a rolling buffer: it holds
 * the latest `ring` rows. r and x are always absolute positions in the image, so a base may point below the
 * buffer when a tile holds columns from x0 on; every byte touched must lie inside the SRAM.
 *
 * A rolling buffer may hold less than whole rows. `stripeRing` describes one in a register, and a view names the register in its
 * field `Stripes` (rowPitch and ring then mean nothing). The image is made in stripes of `height` rows, a stripe column by
 * column from left to right: row r is row j = (r + phase) mod height of stripe s = floor((r + phase) / height), and its pixel in
 * column x lies in column q = s * width + x of the order in which the image is made. Two rings follow each other at base. The first
 * one holds the latest `shortColumns` columns of the first (height - kept) rows of a stripe, which nobody needs below that
 * stripe; the second one the latest `longColumns` columns of its last `kept` rows, the halo of stripes to come:
 *
 *     j < height - kept:  base + ((q mod shortColumns) * (height - kept) + j) * pixelPitch
 *     else:               base + (shortColumns * (height - kept) + (q mod longColumns) * kept + j - (height - kept)) * pixelPitch
 *
 * Every compute command but `pool` and `conv` reads all channels of its operands' pixels before it writes the pixel of the
 * output at the same place, and `conv` reads the other operand of its addition before it writes: an output may be written
 * over such an operand.
 *
 * Rows [row0, row0 + rows) are clipped to [0, the image's rows), columns and channels likewise: an empty range makes the
 * command do nothing (it still waits and signals). That is how the first and last stripes of a loop need no code of their own.
 */

export type Queue = 'processor' | 'load' | 'compute' | 'store';

/** u: unsigned, s: signed (zigzag). All values are integers below 2^53; float parameters are IEEE single bit patterns, unsigned. */
export type FieldType = 'u' | 's';

export interface Field {
  readonly name: string;
  readonly type: FieldType;
  readonly doc: string;
}

export interface Instruction {
  readonly name: string;
  readonly opcode: number; // 1..255
  readonly queue: Queue;
  readonly fields: readonly Field[];
  readonly doc: string;
}

export const MAX_LOOP_DEPTH = 4;
export const SEMAPHORES = 24;
/** Registers of `stripeRing` are 1 .. STRIPE_RINGS - 1: in a view, 0 means none. */
export const STRIPE_RINGS = 64;

const u = (name: string, doc: string): Field => ({ name, type: 'u', doc });
const s = (name: string, doc: string): Field => ({ name, type: 's', doc });

const SYNC = [
  u('wait', 'mask of semaphores to take before the command starts'),
  u('signal', 'mask of semaphores to raise after it has completed'),
];

const view = (prefix: string, what: string): Field[] => [
  s(`${prefix}Base`, `SRAM byte address of row 0, column 0, channel 0 of ${what}`),
  u(`${prefix}RowPitch`, 'bytes from a row to the next'),
  u(`${prefix}PixelPitch`, 'bytes from a column to the next'),
  u(`${prefix}Ring`, 'rows of the rolling buffer, 0 for none'),
];

/** Behind all other fields: most commands have no use for them, and groups of eight fields share a byte of the change mask. */
const stripes = (...prefixes: readonly string[]): Field[] =>
  prefixes.map((prefix) =>
    u(`${prefix}Stripes`, `register of the rolling buffer of stripes of view ${prefix}, 0 for none`),
  );

const ROWS = [s('row0', 'first output row'), u('rows', 'number of output rows')];
const COLUMNS = [s('col0', 'first output column'), u('cols', 'number of output columns')];

const WINDOW = [
  u('kernelH', 'kernel rows'),
  u('kernelW', 'kernel columns'),
  u('strideH', 'rows from a window to the next'),
  u('strideW', 'columns from a window to the next'),
  u('padTop', 'rows of padding above the image'),
  u('padLeft', 'columns of padding left of the image'),
  u('dilationH', 'rows between taps'),
  u('dilationW', 'columns between taps'),
];

/**
 * The epilogue of docs/numerics.md: stage 1 (activation), stage 2 (addition of a second image, pixel by pixel), stage 3
 * (activation). Activation kinds: 0 none; 1 clamp to [lo, hi]; 2 table (integers; in SRAM at lo: 256 bytes, or for int16 65536 numbers);
 * 3 leakyRelu (alpha = lo); 4 sigmoid; 5 tanh; 6 hardSwish; 7 hardSigmoid (alpha = lo, beta = hi); 8 elu (alpha = lo);
 * 9 exp; 10 sqrt; 11 abs; 12 neg; 13 floor; 14 ceil; 15 round; 16 trunc; 17 sign;
 * 18 log; 19 erf; 20 gelu; 21 geluTanh; 22 sin; 23 cos; 24 rsqrt; 25 reciprocal; 26 softplus; 27 softsign; 28 silu; 29 mish;
 * 30 square; 31 selu; 32 not; 33 power; 34 atan. 3..34 float32 only. For integers, lo and hi are stored values (zigzag as any signed field);
 * for float32 they are bit patterns.
 */
const EPILOGUE = [
  u('act1', 'kind of stage 1'),
  s('act1Lo', 'stage 1: low limit, table address or alpha'),
  s('act1Hi', 'stage 1: high limit or beta'),
  u(
    'addMode',
    'stage 2: 0 none, 1 value + other, 2 other + value (which operand is a in the rescaling); 3 and 4 are 1 and 2 with the rescaling in float32, as form 1 of `binary`',
  ),
  ...view('add', 'the other operand of stage 2'),
  s('addZeroValue', 'zero point of the value before stage 2'),
  s('addZeroOther', 'zero point of the other operand'),
  s('addZeroOut', 'zero point of the sum'),
  u('addLeftShift', 'leftShift of the rescaling'),
  u('addMultiplierA', 'multiplierA'),
  s('addShiftA', 'shiftA'),
  u('addMultiplierB', 'multiplierB'),
  s('addShiftB', 'shiftB'),
  u('addMultiplierOut', 'multiplierOut'),
  s('addShiftOut', 'shiftOut'),
  u('act2', 'kind of stage 3'),
  s('act2Lo', 'stage 3: as act1Lo'),
  s('act2Hi', 'stage 3: as act1Hi'),
];

const DTYPE = u('dtype', '0 int8, 1 float32, 2 uint8, 3 int16, 4 int32');

/** Begins a command that makes an image of one other. */
const ONE_TO_ONE = [...SYNC, DTYPE, ...view('in', 'the input image'), ...view('out', 'the output image')];

/** The output's extents, and the part of it that the command makes. */
const PIXELS = [u('outH', 'rows'), u('outW', 'columns'), u('outC', 'channels'), ...ROWS, ...COLUMNS];
const REPEAT = 'mask of what the operand has one of, for all: 1 rows, 2 columns, 4 channels';
const SHAPES = [
  u('inH', 'rows of the input image'),
  u('inW', 'columns of the input image'),
  u('inC', 'channels of the input image'),
  u('outH', 'rows of the output image'),
  u('outW', 'columns of the output image'),
  u('outC', 'channels of the output image'),
];
const ZEROS = [s('inZero', 'zero point of the input'), s('outZero', 'zero point of the result, before the epilogue')];

const DMA_ROWS = [
  ...SYNC,
  u('dramBase', 'DRAM byte address of row 0, column 0 of the image'),
  u('dramRowPitch', 'bytes from a row to the next in DRAM'),
  u('dramPixelPitch', 'bytes from a column to the next in DRAM'),
  ...view('sram', 'the SRAM image'),
  u('imageH', 'rows of the image'),
  u('imageW', 'columns of the image'),
  u('pixelBytes', 'bytes moved per pixel'),
  s('row0', 'first row'),
  u('rows', 'number of rows'),
  s('col0', 'first column'),
  u('cols', 'number of columns'),
  ...stripes('sram'),
];

const DMA_LINEAR = [
  ...SYNC,
  u('dramBase', 'DRAM byte address of the region'),
  u('sramBase', 'SRAM byte address that the byte at `offset` goes to or comes from'),
  u('offset', 'first byte of the region that is moved'),
  u('bytes', 'number of bytes'),
  u('limit', 'bytes of the region: [offset, offset + bytes) is clipped to [0, limit)'),
];

const DMA_STRIDED = [
  ...SYNC,
  u('dramBase', 'DRAM byte address of the first element'),
  u('sramBase', 'SRAM byte address of the first element'),
  u('elementBytes', 'bytes of an element'),
  ...[0, 1, 2, 3].flatMap((d) => [
    u(`count${d}`, `elements along dimension ${d} (0 the outermost); 0 means 1`),
    u(`dramStride${d}`, `bytes from an element to the next along dimension ${d}, in DRAM`),
    u(`sramStride${d}`, `the same in SRAM`),
  ]),
];

export const INSTRUCTIONS: readonly Instruction[] = [
  {
    name: 'endPrologue',
    opcode: 0x01,
    queue: 'processor',
    fields: [],
    doc: 'Waits for all queues. What follows is the period, which repeats for ever.',
  },
  {
    name: 'endPeriod',
    opcode: 0x02,
    queue: 'processor',
    fields: [],
    doc: 'Waits for all queues. One period is complete.',
  },
  {
    name: 'barrier',
    opcode: 0x03,
    queue: 'processor',
    fields: [],
    doc: 'Waits for all queues, then sets every semaphore to zero.',
  },
  {
    name: 'semaphore',
    opcode: 0x04,
    queue: 'processor',
    fields: [u('index', 'which semaphore'), u('value', 'its new value')],
    doc: 'Sets a semaphore, when the processor comes to it: no command before it that names the semaphore may still be in a queue.',
  },
  {
    name: 'stripeRing',
    opcode: 0x07,
    queue: 'processor',
    fields: [
      u('index', 'which register, at least 1'),
      u('width', 'columns of the image; 0 when every stripe begins in the first column of the rings'),
      u('height', 'rows of a stripe'),
      u('phase', 'rows that the first stripe reaches above the image; below height'),
      u('kept', 'last rows of each stripe that are in the long ring; at most height'),
      u('shortColumns', 'columns of the ring of the other rows'),
      u('longColumns', 'columns of the ring of the kept rows'),
    ],
    doc: 'Describes a rolling buffer of stripes, for the views of the commands that follow.',
  },
  {
    name: 'loop',
    opcode: 0x05,
    queue: 'processor',
    fields: [u('count', 'how often the body runs, at least 1')],
    doc: 'Begins a loop.',
  },
  { name: 'endLoop', opcode: 0x06, queue: 'processor', fields: [], doc: 'Ends the innermost loop.' },
  {
    name: 'loadRows',
    opcode: 0x10,
    queue: 'load',
    fields: DMA_ROWS,
    doc: 'Moves a rectangle of an image from DRAM to SRAM.',
  },
  {
    name: 'storeRows',
    opcode: 0x11,
    queue: 'store',
    fields: DMA_ROWS,
    doc: 'Moves a rectangle of an image from SRAM to DRAM.',
  },
  { name: 'load', opcode: 0x12, queue: 'load', fields: DMA_LINEAR, doc: 'Moves consecutive bytes from DRAM to SRAM.' },
  {
    name: 'store',
    opcode: 0x13,
    queue: 'store',
    fields: DMA_LINEAR,
    doc: 'Moves consecutive bytes from SRAM to DRAM.',
  },
  {
    name: 'loadStrided',
    opcode: 0x14,
    queue: 'load',
    fields: DMA_STRIDED,
    doc: 'Gathers up to four strided dimensions from DRAM to SRAM (transposes on the way).',
  },
  {
    name: 'storeStrided',
    opcode: 0x15,
    queue: 'store',
    fields: DMA_STRIDED,
    doc: 'Scatters up to four strided dimensions from SRAM to DRAM.',
  },
  {
    name: 'gatherRows',
    opcode: 0x16,
    queue: 'load',
    fields: [
      ...SYNC,
      u('dramBase', 'DRAM byte address of the first entry of the table'),
      u('entries', 'entries of the table, one behind the other'),
      u('entryBytes', 'bytes of an entry'),
      ...view('index', 'the image of int32 indices, one column of one channel'),
      ...view('sram', 'the SRAM image, one column of entryBytes'),
      u('imageH', 'rows of both images'),
      s('row0', 'first row'),
      u('rows', 'number of rows'),
      ...stripes('index', 'sram'),
    ],
    doc: 'Moves to each row the entry that its index names; a negative index counts from the end, one outside is limited.',
  },
  {
    name: 'conv',
    opcode: 0x20,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      s('ch0', 'first output channel'),
      u('chs', 'number of output channels'),
      ...WINDOW,
      u('groups', 'convolution groups; inC = groups is depthwise'),
      u(
        'records',
        'SRAM byte address of the weight record of channel ch0 (before clipping). Integer record: int32 bias, then the scale as recordForm says, then KH * KW * (inC / groups) weights. float32 record: bias, then the weights. Little endian, no padding between records',
      ),
      ...ZEROS,
      ...EPILOGUE,
      u(
        'recordForm',
        'integers: 0 the scale is a uint32 with the multiplier >> 7 in bits 0..23 and the shift in bits 24..31 (signed); 1 it is an int32 multiplier and an int8 shift; 2 it is a float32',
      ),
      u('weightDtype', 'integers: 0 the weights are int8, 2 uint8'),
      s('weightZero', 'integers: zero point of the weights'),
      u('rounding', 'integers: 0 the rescaling rounds as the type has it, 1 once, with all bits of the multiplier'),
      ...stripes('in', 'out', 'add'),
    ],
    doc: 'Convolution of output rows x columns x channels, with epilogue; dense layers are 1x1 images. Reads exactly the input rows and columns that lie under the windows and inside the image.',
  },
  {
    name: 'pool',
    opcode: 0x21,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      u('mode', '0 maximum, 1 average, 2 average that counts padding, 3 integers: sum, rescaled'),
      ...view('in', 'the input image'),
      ...view('out', 'the output image'),
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      ...WINDOW,
      ...ZEROS,
      ...EPILOGUE,
      u('multiplier', 'mode 3: of the sum of the elements less their zero point'),
      s('shift', 'mode 3: with the multiplier'),
      ...stripes('in', 'out', 'add'),
      u('form', 'mode 3: 1 where the multiplier is the bit pattern of a float32 scale'),
    ],
    doc: 'Pooling of all channels, with epilogue.',
  },
  {
    name: 'binary',
    opcode: 0x22,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      u(
        'mode',
        '0 add, 1 sub, 2 mul; float32: 3 div, 4 pow, 5 max, 6 min (5 and 6 also stored integers), 7 mod, 8 equal, 9 less, 10 less or equal, 11 greater, 12 greater or equal, 13 and, 14 or, 15 xor, 16 prelu',
      ),
      ...view('a', 'operand a'),
      ...view('b', 'operand b'),
      ...view('out', 'the output image'),
      u('outH', 'rows of all three images'),
      u('outW', 'columns of all three images'),
      u('outC', 'channels of all three images'),
      ...ROWS,
      ...COLUMNS,
      s('aZero', 'zero point of a'),
      s('bZero', 'zero point of b'),
      s('outZero', 'zero point of the result, before the epilogue'),
      u('leftShift', 'leftShift of the rescaling'),
      u('multiplierA', 'multiplierA'),
      s('shiftA', 'shiftA'),
      u('multiplierB', 'multiplierB'),
      s('shiftB', 'shiftB'),
      u('multiplierOut', 'multiplierOut'),
      s('shiftOut', 'shiftOut'),
      ...EPILOGUE,
      ...stripes('a', 'b', 'out', 'add'),
      u(
        'form',
        'integers: 0 rescaling in fixed point; 1 in float32: multiplierA and multiplierB are bit patterns of the scales of a and b (mul: of the product), multiplierOut of the offset',
      ),
      u('aRepeat', REPEAT),
      u('bRepeat', REPEAT),
    ],
    doc: 'Elementwise operation of two images of one shape, with epilogue.',
  },
  {
    name: 'map',
    opcode: 0x23,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      u('scaleH', 'an output row r reads input row floor(r / scaleH); at least 1'),
      u('scaleW', 'an output column x reads input column floor(x / scaleW); at least 1'),
      ...ZEROS,
      ...EPILOGUE,
      u('inDtype', 'type of the input: 0 as dtype, else 1 + its type, and the elements are converted'),
      u('multiplier', 'integers to integers: of the elements less their zero point; 0 for none'),
      s('shift', 'with the multiplier'),
      u('scale', 'float32 to integers or back: bit pattern of the scale of the integers'),
      ...stripes('in', 'out', 'add'),
      u('rounding', 'float32 to integers: 0 halves away from zero, 1 halves to even'),
      u('inRepeat', '4 where the one channel of the input stands for all'),
    ],
    doc: 'Copy of an image, with nearest-neighbour upsampling, conversion and epilogue: copies, activations, table look-ups, conversions.',
  },
  {
    name: 'resize',
    opcode: 0x29,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      u('mode', '0 nearest, 1 bilinear'),
      u('coordinates', '0 asymmetric, 1 align corners, 2 half pixel'),
      ...EPILOGUE,
      ...stripes('in', 'out', 'add'),
    ],
    doc: 'Resizing of an image to any size, with epilogue. Reads the neighbours of each position, nothing else.',
  },
  {
    name: 'pad',
    opcode: 0x2a,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      u('padTop', 'rows above the input'),
      u('padLeft', 'columns left of the input'),
      u('padFront', 'channels before those of the input'),
      s('value', 'what is around the input: a stored value, or a bit pattern'),
      ...EPILOGUE,
      ...stripes('in', 'out', 'add'),
      u('mode', '0 the value, 1 the image mirrored at its edges, 2 its edges'),
    ],
    doc: 'Copy of an image with a border, with epilogue. Modes 1 and 2 read the whole image.',
  },
  {
    name: 'select',
    opcode: 0x2b,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      ...view('in', 'the condition'),
      ...view('a', 'what is taken where the condition is not 0'),
      ...view('b', 'what is taken elsewhere'),
      ...view('out', 'the output image'),
      ...PIXELS,
      u('inRepeat', REPEAT),
      u('aRepeat', REPEAT),
      u('bRepeat', REPEAT),
    ],
    doc: 'Choice between two images, element by element; float32.',
  },
  {
    name: 'reduce',
    opcode: 0x2c,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      u(
        'mode',
        '0 sum, 1 mean, 2 max, 3 min, 4 prod, 5 l1, 6 l2, 7 sum of squares, 8 log of the sum of exponentials, 9 position of the largest, 10 of the least; 2, 3, 9 and 10 also of integers',
      ),
      ...view('in', 'the input image'),
      ...view('out', 'the output image, of one channel'),
      ...SHAPES,
      ...ROWS,
      ...COLUMNS,
      u('inDtype', 'type of the input: 0 as dtype, else 1 + its type'),
      ...EPILOGUE,
    ],
    doc: 'One number for the channels of each pixel, with epilogue.',
  },
  {
    name: 'layerNorm',
    opcode: 0x2d,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...PIXELS,
      u('table', 'SRAM byte address of float32 [outC] gamma, then [outC] beta'),
      u('epsilon', 'bit pattern'),
      u('mode', '0 the mean is taken away first, 1 it is not'),
      ...EPILOGUE,
    ],
    doc: 'Normalisation of the channels of each pixel, with epilogue; float32.',
  },
  {
    name: 'matmul',
    opcode: 0x2e,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      ...view('a', 'operand a: a matrix of outW x inC in each row of the image'),
      ...view('b', 'operand b: a matrix of inC x outC in each row, or of outC x inC'),
      ...view('out', 'the output image: outW x outC in each row'),
      u('inC', 'the extent that is summed over'),
      ...PIXELS,
      u('mode', '1 where b is outC x inC'),
      u('bRepeat', '1 where one row of b stands for all'),
      s('aZero', 'integers: zero point of a'),
      s('bZero', 'integers: zero point of b'),
      s('outZero', 'integers: zero point of the result, before the epilogue'),
      u(
        'form',
        'integers: 0 fixed point, 1 where the multiplier is the bit pattern of a float32 scale, 2 fixed point rounded once',
      ),
      u('multiplier', 'integers: of the sums'),
      s('shift', 'integers: of the sums'),
      ...EPILOGUE,
    ],
    doc: 'Matrix products, one for each row, with epilogue; float32, int8, uint8.',
  },
  {
    name: 'recurrent',
    opcode: 0x2f,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      ...view('in', 'the input image, a row for each step'),
      ...view('b', 'the initial state, one pixel'),
      ...view('out', 'the output image: the state after each step'),
      u('inC', 'inputs'),
      u('outH', 'steps'),
      u('outW', '1'),
      u('outC', 'elements of the state'),
      ...ROWS,
      ...COLUMNS,
      u('mode', '0 LSTM, 1 GRU; + 2 steps in reverse order; + 4 the reset gate of a GRU applies to the product'),
      u('hidden', 'elements of h'),
      u(
        'table',
        'SRAM byte address of float32: a row of the inputs\' weights for each gate and element, one of recurrent weights, the inputs\' biases, the recurrent biases; for int16 as docs/numerics.md, "lstmInt8", says',
      ),
      u('clip', 'LSTM of float32: bit pattern of the largest size of c; 0 for none'),
    ],
    doc: 'All steps of an LSTM or GRU in float32, or of an LSTM on int8 inputs with int16 state. The rows must be all rows.',
  },
  {
    name: 'softmax',
    opcode: 0x24,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...PIXELS,
      u('table', 'integers without a multiplier: SRAM byte address of int32 [256]'),
      ...EPILOGUE,
      u('multiplier', 'integers in fixed point: of the difference to the largest element'),
      u('leftShift', 'with the multiplier'),
      s('leastDifference', 'with the multiplier: smaller differences count as 0'),
      u(
        'scale',
        'integers by real numbers: bit pattern of the float32 steps of the result in 1; the table is float32 [256]',
      ),
      s('outZero', 'with the scale: zero point of the result'),
      ...stripes('in', 'out', 'add'),
    ],
    doc: 'Softmax over the channels of each pixel.',
  },
  {
    name: 'lrn',
    opcode: 0x25,
    queue: 'compute',
    fields: [
      ...ONE_TO_ONE,
      ...PIXELS,
      u('table', 'int8: SRAM byte address of int32 [1024]'),
      u('size', 'channels of the window'),
      u('sumShift', 'int8: table index = sum of squares >> sumShift'),
      u('alpha', 'float32: bit pattern'),
      u('beta', 'float32: bit pattern'),
      u('k', 'float32: bit pattern'),
      ...ZEROS,
      ...EPILOGUE,
      ...stripes('in', 'out', 'add'),
    ],
    doc: 'Local response normalisation across channels.',
  },
  {
    name: 'permute',
    opcode: 0x26,
    queue: 'compute',
    fields: [
      ...SYNC,
      u('inBase', 'SRAM byte address of the first element of the input'),
      u('outBase', 'SRAM byte address of the first element of the output'),
      u('elementBytes', 'bytes of an element'),
      ...[0, 1, 2, 3].flatMap((d) => [
        u(`count${d}`, `elements along dimension ${d}; 0 means 1`),
        u(`inStride${d}`, `bytes from an element to the next along dimension ${d} of the input`),
        u(`outStride${d}`, `the same of the output`),
      ]),
    ],
    doc: 'Copies up to four strided dimensions from SRAM to SRAM (transposes).',
  },
  {
    name: 'poolRows',
    opcode: 0x28,
    queue: 'compute',
    fields: [
      ...SYNC,
      DTYPE,
      u('mode', '0 maximum, 1 average, 3 integers: sum, rescaled'),
      ...view('in', 'the input image'),
      ...view('out', 'the output image, one pixel'),
      ...SHAPES,
      s('row0', 'first input row'),
      u('rows', 'number of input rows'),
      u('sums', 'SRAM byte address of int32 [inC], a multiple of 4: what has been gathered of the rows so far'),
      ...ZEROS,
      ...EPILOGUE,
      u('multiplier', 'mode 3: of the sum of the elements less their zero point'),
      s('shift', 'mode 3: with the multiplier'),
      ...stripes('in', 'out', 'add'),
      u('form', 'mode 3: 1 where the multiplier is the bit pattern of a float32 scale'),
    ],
    doc: 'Pooling of a whole int8 or uint8 image into one pixel, some rows at a time. Input rows [row0, row0 + rows), clipped to the image, are gathered: the command with row 0 begins `sums`, others add to them, and the one with row inH - 1 writes the pixel, with epilogue (stage 2 off), instead.',
  },
];
