/* What runs cost, against sums done by hand from docs/ENERGY.md. */
#include <stdbool.h>

#include "mst/energy.h"
#include "tests/support/run_tests.h"

static const mst_work work = {.sops = 1000,
                              .macs = 100,
                              .spikes = 50,
                              .fired = 80,
                              .neurons = 10,
                              .updates = 40,
                              .dense_ops = 2000,
                              .dense_static = 500};

static bool near(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }

START_TEST(sets)
{
    ck_assert_str_eq(mst_energy_set_at(0)->name, "fp32");
    ck_assert_str_eq(mst_energy_set_at(2)->name, "int8");
    ck_assert_ptr_null(mst_energy_set_at(3));
}
END_TEST

START_TEST(of_a_run)
{
    mst_cost c = mst_energy_of_run(mst_energy_set_at(2), &work);
    ck_assert(near(c.operations, 1000 * 0.03 + 100 * 0.23));
    /* weights of 8 bits, membranes of 32 read and written, addresses of 32 written and read; 5 pJ for 32 bits */
    ck_assert(near(c.memory, 1100 * 1.25 + 80 * 5 + 100 * 5));
    ck_assert(near(c.updates, (40 + 80) * 0.03));
}
END_TEST

START_TEST(of_its_ann)
{
    const mst_energy_set *e = mst_energy_set_at(1);
    mst_cost c = mst_energy_of_ann(e, &work), b = mst_energy_of_bit_ann(e, &work, 4);
    ck_assert(near(c.operations, 2000 * 1.5) && near(c.memory, 2020 * 2.5) && near(c.updates, 10 * 1.5));
    ck_assert(near(b.operations, 500 * 1.5 + 1500 * 4 * 0.4));
    ck_assert(near(b.memory, 2000 * 2.5 + 20 * 4 / 32.0 * 5) && near(b.updates, 10 * 1.5));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("energy");
    TCase *t = tcase_create("costs");
    tcase_add_test(t, sets);
    tcase_add_test(t, of_a_run);
    tcase_add_test(t, of_its_ann);
    suite_add_tcase(s, t);
    return run_tests(s);
}
