/* test_metrics.c - common/metrics.c: the text that Prometheus reads. */
#include "common/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_whole_text(void **state)
{
    struct metric *sold = metric_counter("leadline_leads_total", "status=\"sold\"", "Leads by status.");
    struct metric *depth = metric_gauge("leadline_depth", NULL, "Leads that wait.");
    struct metric *refused = metric_counter("leadline_leads_total", "status=\"refused\"", "Leads by status.");
    struct metric *took = metric_histogram("leadline_commit_seconds", "kind=\"batch\"", "How long a commit takes.");
    struct buf *out = buf_new(0);

    (void)state;
    metric_add(sold, 3);
    metric_add(sold, 1);
    metric_add(depth, 7);
    metric_add(depth, -9);
    metric_observe_ns(took, 0);
    metric_observe_ns(took, 500000);         /* a bound belongs to its bucket */
    metric_observe_ns(took, 500001);
    metric_observe_ns(took, 3000000000);
    metric_observe_ns(took, 20000000000);    /* beyond the last bound */
    assert_int_equal(metric_value(sold), 4);
    assert_int_equal(metric_value(refused), 0);
    assert_int_equal(metric_value(depth), -2);
    assert_int_equal(metric_value(took), 5);
    metric_set(depth, 12);
    buf_add_text(out, "before\n");
    metrics_print(out);
    assert_string_equal(buf_text(out),
        "before\n"
        "# HELP leadline_leads_total Leads by status.\n"
        "# TYPE leadline_leads_total counter\n"
        "leadline_leads_total{status=\"sold\"} 4\n"
        "leadline_leads_total{status=\"refused\"} 0\n"
        "# HELP leadline_depth Leads that wait.\n"
        "# TYPE leadline_depth gauge\n"
        "leadline_depth 12\n"
        "# HELP leadline_commit_seconds How long a commit takes.\n"
        "# TYPE leadline_commit_seconds histogram\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.0005\"} 2\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.001\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.0025\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.005\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.01\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.025\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.05\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.1\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.25\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"0.5\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"1\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"2.5\"} 3\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"5\"} 4\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"10\"} 4\n"
        "leadline_commit_seconds_bucket{kind=\"batch\",le=\"+Inf\"} 5\n"
        "leadline_commit_seconds_sum{kind=\"batch\"} 23.001000001\n"
        "leadline_commit_seconds_count{kind=\"batch\"} 5\n");
    buf_free(&out);
}

static void the_same_name_is_the_same_series(void **state)
{
    struct metric *one = metric_counter("leadline_again_total", "a=\"1\"", "Again.");

    (void)state;
    assert_ptr_equal(one, metric_counter("leadline_again_total", "a=\"1\"", "Again."));
    assert_ptr_not_equal(one, metric_counter("leadline_again_total", "a=\"2\"", "Again."));
    assert_ptr_not_equal(one, metric_counter("leadline_again_total", NULL, "Again."));
}

static void a_histogram_without_label(void **state)
{
    struct buf *out = buf_new(0);

    (void)state;
    metric_observe_ns(metric_histogram("leadline_plain_seconds", NULL, "Plain."), 1);
    metrics_print(out);
    assert_non_null(strstr(buf_text(out), "\nleadline_plain_seconds_bucket{le=\"0.0005\"} 1\n"));
    assert_non_null(strstr(buf_text(out), "\nleadline_plain_seconds_sum 0.000000001\nleadline_plain_seconds_count 1\n"));
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_whole_text), /* first: it compares all that there is */
        cmocka_unit_test(the_same_name_is_the_same_series),
        cmocka_unit_test(a_histogram_without_label),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
