/** Real networks against LiteRT's reference kernels. */
import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, jest, test } from '@jest/globals';
import { hasLiteRt, LiteRt } from './litert.js';
import { expectLiteRtAgreement } from './litert-agreement.js';

jest.setTimeout(600_000); // a loaded machine must not fail them

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
  'mp_face_short',
  'dtln_1',
  'aeq_sdpa',
];

/** With SPILLWAY_ALL_NETWORKS also those that take minutes. */
const LONG = [
  'coral_posenet_721_1281_u8_headless',
  'litert_conformer',
  'coral_tf2_mnv2_1.0_224_ptq',
  'coral_mnv2_1.0_224_u8',
  'coral_deeplabv3_mnv2_dm05_pascal_u8',
  'ps_mnv3_post_quant',
  'ps_mnv3_seg_f32',
  'tfs_mnv1_0.25_224_f32',
  'mlperf_kws_f32',
];
const TRIED = process.env.SPILLWAY_ALL_NETWORKS === undefined ? NETWORKS : [...NETWORKS, ...LONG];

const runtime = new LiteRt();
afterAll(() => runtime.stop());

describe('agrees with LiteRT', () => {
  test.each(TRIED)('%s', async (name) => {
    const path = `${MODELS}/${name}.tflite`;
    if (!existsSync(path) || !hasLiteRt) return console.warn(`skipped: ${path} or the judge is not there`);
    await expectLiteRtAgreement(runtime, new Uint8Array(readFileSync(path)), path);
  });
});
