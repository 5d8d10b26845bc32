package flinkjobs.alerts;

/** What one sensor measured, in degrees Celsius; a POJO, so that Flink can read it in time to come. */
public final class Reading {

    public long sensor;
    public double temperature;

    public Reading() {}

    Reading(long sensor, double temperature) {
        this.sensor = sensor;
        this.temperature = temperature;
    }

    /** Derives a reading from a number: a slow swing, each sensor at another point of it. */
    static Reading simulated(long number, long sensors) {
        long sensor = number % sensors;
        double turn = (number / sensors) / 100.0 + (double) sensor / sensors;
        return new Reading(sensor, 25 + 10 * Math.sin(2 * Math.PI * turn));
    }
}
