/** Real networks against LiteRT's reference kernels. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, jest, test } from '@jest/globals';
import { hasLiteRt, LiteRt } from './litert.js';
import { expectLiteRtAgreement } from './litert-agreement.js';

jest.setTimeout(120_000); // a loaded machine must not fail them

const MODELS = '../shared/models';

/** Those that are affordable in every run of the tests. */
const NETWORKS = [
  'mlperf_ad_int8',
  'mlperf_kws_int8',
  'mlperf_resnet8_int8',
  'mlperf_resnet8_f32',
  'mlperf_vww_int8',
  'mlperf_vww_f32',
  'coral_mnv1_0.25_128_u8',
  'coral_tf2_mnv2_1.0_224_ptq',
  'mp_face_short',
];

const runtime = new LiteRt();
afterAll(() => runtime.stop());

describe('agrees with LiteRT', () => {
  test.each(NETWORKS)('%s', async (name) => {
    const path = `${MODELS}/${name}.tflite`;
    if (!existsSync(path) || !hasLiteRt) return console.warn(`skipped: ${path} or the judge is not there`);
    await expectLiteRtAgreement(runtime, new Uint8Array(readFileSync(path)), path);
  });
});
