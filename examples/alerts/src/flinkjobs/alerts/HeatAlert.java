package flinkjobs.alerts;

import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

import java.util.Locale;

/** Emits an alert once a sensor has stayed above the threshold for the hold time. */
final class HeatAlert extends KeyedProcessFunction<Long, Reading, String> {

    private static final long serialVersionUID = 1L;

    private final long threshold;
    private final long holdMillis;

    private transient ValueState<Long> readings;
    private transient ValueState<Double> average;
    private transient ValueState<Long> alertAt;

    HeatAlert(long threshold, long holdMillis) {
        this.threshold = threshold;
        this.holdMillis = holdMillis;
    }

    @Override
    public void processElement(Reading reading, Context context, Collector<String> alerts)
            throws Exception {
        takeStates();
        long count = readings.value() == null ? 1 : readings.value() + 1;
        double before = average.value() == null ? 0 : average.value();
        readings.update(count);
        average.update(before + (reading.temperature - before) / count);

        boolean hot = reading.temperature > threshold;
        Long pending = alertAt.value();
        if (hot && pending == null) {
            long at = context.timerService().currentProcessingTime() + holdMillis;
            context.timerService().registerProcessingTimeTimer(at);
            alertAt.update(at);
        } else if (!hot && pending != null) {
            context.timerService().deleteProcessingTimeTimer(pending);
            alertAt.clear();
        }
    }

    @Override
    public void onTimer(long at, OnTimerContext context, Collector<String> alerts)
            throws Exception {
        takeStates();
        alerts.collect(
                String.format(
                        Locale.ROOT,
                        "sensor %d above %d for %d ms, average %.1f over %d readings",
                        context.getCurrentKey(),
                        threshold,
                        holdMillis,
                        average.value(),
                        readings.value()));
    }

    /** Takes hold of the states; not in open(), whose signature differs between Flink 1 and 2. */
    private void takeStates() {
        if (readings == null) {
            readings = getRuntimeContext().getState(new ValueStateDescriptor<>("readings", Types.LONG));
            average = getRuntimeContext().getState(new ValueStateDescriptor<>("average", Types.DOUBLE));
            alertAt = getRuntimeContext().getState(new ValueStateDescriptor<>("alert-at", Types.LONG));
        }
    }
}
