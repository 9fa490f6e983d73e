/* Images in C: what is written reads back, every cut of every sample image is one error,
 * crops land where torchvision's do, and without a model samples keep their shape.
 * (tests/python/test_images.py compares the pixels with Pillow.)
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/data/image.h"
#include "mst/data.h"
#include "tests/support/memory_file.h"
#include "tests/support/run_tests.h"

static const char *const images[] = {
    "444.jpg",
    "420.jpg",
    "progressive.jpg",
    "grey.jpg",
    "cmyk.jpg",
    "restart.jpg",
    "rgba.png",
    "p4.png",
    "grey1.png",
    "la.png",
    "wide-grey.png",
    "rgb16.png",
    "la16.png",
    "grey2.png",
    "gamma.png",
    "interlaced.png",
};

static const char *sample(const char *name)
{
    static char path[512];
    const char *root = getenv("MST_FIXTURES");
    snprintf(path, sizeof path, "%s/fuzz/corpus/image/%s", root != NULL ? root : "tests", name);
    return path;
}

START_TEST(every_cut_is_refused)
{
    mst_image_file f;
    mst_image im;
    mst_err err = {0};
    ck_assert_msg(mst_image_file_read(&f, sample(images[_i]), MST_IMAGE_MAX_FILE, &err) == MST_OK, "%s",
                  err.text);
    ck_assert_msg(mst_image_decode(&f, &im, &err) == MST_OK, "%s", err.text);
    ck_assert(im.width > 1 && im.height > 1 && (im.channels == 1 || im.channels == 3));
    mst_image_free(&im);
    for (size_t cut = 0; cut < f.n; cut++) {
        uint8_t *bytes = malloc(cut != 0 ? cut : 1); /* exact: ASan sees reads past the end */
        ck_assert_ptr_nonnull(bytes);
        memcpy(bytes, f.bytes, cut);
        mst_image_file part = {f.path, bytes, cut};
        err.text[0] = '\0';
        mst_status st = mst_image_decode(&part, &im, &err);
        ck_assert_msg(st == MST_ECORRUPT || st == MST_EFORMAT, "cut at %zu: status %d", cut, (int)st);
        ck_assert_msg(strstr(err.text, "offset") != NULL, "cut at %zu: '%s'", cut, err.text);
        ck_assert_ptr_null(im.pixels);
        free(bytes);
    }
    mst_image_file_free(&f);
}
END_TEST

START_TEST(limits)
{
    mst_image im = {0};
    mst_image_file f;
    mst_err err = {0};
    ck_assert_int_eq(mst_image_make(&im, 8192, 8193, 3, "x", &err), MST_ELIMIT);
    ck_assert_int_eq(mst_image_make(&im, UINT32_MAX, UINT32_MAX, 3, "x", &err), MST_ELIMIT);
    ck_assert_int_eq(mst_image_make(&im, 0, 5, 3, "x", &err), MST_EFORMAT);
    ck_assert_ptr_null(im.pixels);
    ck_assert_int_eq(mst_image_file_read(&f, sample("444.jpg"), 100, &err), MST_ELIMIT);
    ck_assert_int_eq(mst_image_file_read(&f, "/dev/zero", 100, &err), MST_EIO);
    ck_assert_int_eq(mst_image_read("/tmp", &im, &err), MST_EIO);
    /* a strip whose longer side would be resized past any picture */
    ck_assert_int_eq(mst_image_make(&im, 1, 1000000, 1, "x", &err), MST_OK);
    mst_image out;
    ck_assert_int_eq(mst_image_fit(&im, &(mst_prepare){.resize = 65535}, 2, 2, &out, &err), MST_ELIMIT);
    ck_assert_int_eq(mst_image_fit(&im, &(mst_prepare){.resize = 16}, 2, 2, &out, &err), MST_OK);
    mst_image_free(&out);
    mst_image_free(&im);
}
END_TEST

/* A progressive 4:4:4 of 8064x8064: libjpeg would hold twice as much as its pixels. */
START_TEST(progressive_takes_too_much)
{
    mst_image_file f;
    mst_image im;
    mst_err err = {0};
    ck_assert_int_eq(mst_image_file_read(&f, sample("progressive.jpg"), MST_IMAGE_MAX_FILE, &err), MST_OK);
    uint8_t *sof = memmem(f.bytes, f.n, "\xff\xc2", 2);
    ck_assert_ptr_nonnull(sof);
    memcpy(sof + 5, "\x1f\x80\x1f\x80", 4);
    sof[11] = 0x11; /* the first component's sampling factors: 4:2:0 to 4:4:4 */
    ck_assert_msg(mst_image_decode(&f, &im, &err) == MST_ELIMIT, "%s", err.text);
    ck_assert_msg(strstr(err.text, "8064x8064 pixels in several scans") != NULL, "%s", err.text);
    ck_assert_ptr_null(im.pixels);
    mst_image_file_free(&f);
}
END_TEST

START_TEST(crops)
{
    static const struct {
        uint32_t n, want, from, pad;
    } cases[] = {
        {10, 4, 3, 0},
        {9, 4, 2, 0},
        {11, 4, 4, 0},
        {7, 4, 2, 0},
        {5, 4, 0, 0},
        {4, 4, 0, 0},
        {3, 6, 0, 1},
        {4, 7, 0, 1},
        {1, 5, 0, 2},
    }; /* Python's round(x.5) goes to the even side */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        mst_image im = {0}, out;
        mst_err err = {0};
        uint32_t n = cases[i].n, want = cases[i].want;
        ck_assert_int_eq(mst_image_make(&im, n, 1, 1, "x", &err), MST_OK);
        for (uint32_t x = 0; x < n; x++)
            im.pixels[x] = (uint8_t)(100 + x);
        ck_assert_int_eq(mst_image_fit(&im, &(mst_prepare){.resize = 0}, 1, want, &out, &err), MST_OK);
        for (uint32_t x = 0; x < want; x++) {
            bool black = x < cases[i].pad || x >= cases[i].pad + n;
            uint32_t expected = black ? 0 : 100 + cases[i].from + x - cases[i].pad;
            ck_assert_msg(out.pixels[x] == expected, "%u to %u: pixel %u is %u, expected %u", n, want, x,
                          out.pixels[x],
                          expected);
        }
        mst_image_free(&im);
        mst_image_free(&out);
    }
}
END_TEST

START_TEST(png_round_trip)
{
    for (uint32_t channels = 1; channels <= 3; channels += 2) {
        mst_image im = {0}, back;
        mst_err err = {0};
        char path[] = "/tmp/mst-png-XXXXXX";
        int fd = mkstemp(path);
        FILE *f = fd >= 0 ? fdopen(fd, "wb") : NULL;
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(mst_image_make(&im, 7, 5, channels, "x", &err), MST_OK);
        for (uint32_t i = 0; i < 35 * channels; i++)
            im.pixels[i] = (uint8_t)(i * 37);
        ck_assert_int_eq(mst_png_write(&im, f, path, &err), MST_OK);
        ck_assert_int_eq(fclose(f), 0);
        ck_assert_msg(mst_image_read(path, &back, &err) == MST_OK, "%s", err.text);
        ck_assert(back.width == 7 && back.height == 5 && back.channels == channels);
        ck_assert(memcmp(back.pixels, im.pixels, 35 * channels) == 0);
        mst_image_free(&im);
        mst_image_free(&back);
        unlink(path);
    }
    mst_image im = {0};
    mst_err err = {0};
    FILE *full = fopen("/dev/full", "wb");
    ck_assert_ptr_nonnull(full);
    ck_assert_int_eq(mst_image_make(&im, 300, 300, 3, "x", &err), MST_OK);
    for (uint32_t i = 0; i < 270000; i++)
        im.pixels[i] = (uint8_t)(i * i >> 7);
    mst_status st = mst_png_write(&im, full, "full.png", &err);
    ck_assert(st == MST_EIO && strstr(err.text, "full.png: cannot write") != NULL);
    fclose(full);
    mst_image_free(&im);
}
END_TEST

START_TEST(without_a_model)
{
    mst_data *d = NULL;
    mst_err err = {0};
    uint32_t shape[3];
    int label;
    float x[18 * 13];
    ck_assert_msg(mst_data_open_as_is(sample("grey.jpg"), &d, &err) == MST_OK,
                  "%s", err.text);
    ck_assert_str_eq(mst_data_format(d), "image");
    ck_assert_uint_eq(mst_data_count(d), 1);
    ck_assert_int_eq(mst_data_shape(d, 0, shape, &err), MST_OK);
    ck_assert(shape[0] == 1 && shape[1] == 13 && shape[2] == 18);
    ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), MST_OK);
    ck_assert_int_eq(label, -1);
    ck_assert_int_eq(mst_data_shape(d, 1, shape, &err), MST_EINVAL);
    mst_data_close(d);
    mst_data_want want = {.channels = 3, .height = 4, .width = 6, .prepare = {.resize = 5}};
    ck_assert_msg(mst_data_open(sample("grey.jpg"), &want, &d, &err) == MST_OK, "%s", err.text);
    ck_assert_int_eq(mst_data_shape(d, 0, shape, &err), MST_OK);
    ck_assert(shape[0] == 3 && shape[1] == 4 && shape[2] == 6);
    ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), MST_OK);
    ck_assert(memcmp(x, x + 24, 24 * sizeof *x) == 0 && memcmp(x, x + 48,
                                                               24 * sizeof *x) == 0); /* grey as RGB */
    mst_data_close(d);
}
END_TEST

/* An IDX image of another size is fitted where the model says how, and refused where it does not. */
START_TEST(other_formats_are_fitted)
{
    uint8_t idx[16 + 64] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8};
    mst_data_want want = {.channels = 1, .height = 6, .width = 6};
    mst_data *d = NULL;
    mst_err err = {0};
    char path[64];
    float x[36];
    int label;
    for (uint8_t i = 0; i < 64; i++)
        idx[16 + i] = i;
    int fd = memory_file(idx, sizeof idx, path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(mst_data_open(path, &want, &d, &err), MST_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "expected [1,6,6] as the model has it, found [1,8,8]"));
    want.prepare.crop_height = want.prepare.crop_width = 6;
    ck_assert_msg(mst_data_open(path, &want, &d, &err) == MST_OK, "%s", err.text);
    ck_assert_int_eq(mst_data_get(d, 0, x, &label, &err), MST_OK);
    for (int i = 0; i < 36; i++)
        ck_assert(x[i] == (float)(8 * (i / 6 + 1) + i % 6 + 1) / 255.0f);
    mst_data_close(d);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("images");
    TCase *t = tcase_create("images");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_cut_is_refused, 0, (int)(sizeof images / sizeof images[0]));
    tcase_add_test(t, limits);
    tcase_add_test(t, progressive_takes_too_much);
    tcase_add_test(t, crops);
    tcase_add_test(t, png_round_trip);
    tcase_add_test(t, without_a_model);
    tcase_add_test(t, other_formats_are_fitted);
    suite_add_tcase(s, t);
    return run_tests(s);
}
