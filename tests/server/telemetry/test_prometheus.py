"""The page that Prometheus scrapes, read by Prometheus' own library."""

from prometheus_client.parser import text_string_to_metric_families

from trunkline_server.telemetry.instruments import Counter, Description, Histogram, Instruments, Observed
from trunkline_server.telemetry.prometheus import PrometheusPage


def page_of(*instruments: Counter | Histogram | Observed) -> str:
    found = Instruments()
    found.add(*instruments)
    return PrometheusPage(found).text(found.observe()).decode()


def test_every_type_is_written_by_prometheus_rules() -> None:
    money = Counter(Description(name="t.cost.usd", unit="{USD}", text="Cost.", attributes=("a.b",)), scale=1000)
    money.add(("x",), 1500)
    time = Histogram(Description(name="t.time", unit="s", text="Time."), (0.5, 1))
    for seconds in (0.5, 0.75, 3):
        time.at(()).add(seconds)
    lag = Histogram(Description(name="t.lag", unit="s", text="Lag.", attributes=("a", "b")), (1,))
    lag.at(("1", "2")).add(0.5)
    size = Observed(Description(name="t.size", unit="By", text="Size."), lambda: [((), 7)])
    total = Observed(Description(name="t.lost", unit="1", text="Lost."), lambda: [((), 2)], is_sum=True)
    assert page_of(money, time, lag, size, total).splitlines() == [
        "# HELP t_cost_usd_total Cost.",
        "# TYPE t_cost_usd_total counter",
        't_cost_usd_total{a_b="x"} 1.5',
        "# HELP t_time_seconds Time.",
        "# TYPE t_time_seconds histogram",
        't_time_seconds_bucket{le="0.5"} 1',
        't_time_seconds_bucket{le="1"} 2',
        't_time_seconds_bucket{le="+Inf"} 3',
        "t_time_seconds_count 3",
        "t_time_seconds_sum 4.25",
        "# HELP t_lag_seconds Lag.",
        "# TYPE t_lag_seconds histogram",
        't_lag_seconds_bucket{a="1",b="2",le="1"} 1',
        't_lag_seconds_bucket{a="1",b="2",le="+Inf"} 1',
        't_lag_seconds_count{a="1",b="2"} 1',
        't_lag_seconds_sum{a="1",b="2"} 0.5',
        "# HELP t_size_bytes Size.",
        "# TYPE t_size_bytes gauge",
        "t_size_bytes 7",
        "# HELP t_lost_total Lost.",
        "# TYPE t_lost_total counter",
        "t_lost_total 2",
    ]


def test_whatever_stands_in_a_name_comes_out_as_it_was() -> None:
    names = ['a"b', "back\\slash", "two\nlines", "\\n", "größe", "", "{a=}", "a,b"]
    counter = Counter(Description(name="t.c", unit="1", text="C.", attributes=("a", "b")))
    for name in names:
        counter.add((name, "b"))
    (family,) = text_string_to_metric_families(page_of(counter))
    assert [sample.labels for sample in family.samples] == [{"a": name, "b": "b"} for name in names]


def test_a_name_that_is_not_unicode_spoils_nothing() -> None:
    counter = Counter(Description(name="t.c", unit="1", text="C.", attributes=("a",)))
    counter.add(("\ud800",))
    assert 't_c_total{a="?"} 1' in page_of(counter)
